"""One rank meets a fault at every place of its loop, and ends in the same bits as if it had not."""

import shutil
from collections import namedtuple

import pytest

from optical.errors import InfrastructureError
from optical.tracking.journal import read_journal
from tests.train.faults import Fault, Interrupted, fill_disk, interrupt
from tests.train.ranks import equal, losses, starts, train


@pytest.fixture
def straight(new_job):
    """The same training, undisturbed."""
    job = new_job("straight")
    train(job)
    return job


def warnings(job) -> list[str]:
    return [row["what"] for row in read_journal(job.journal) if row["event"] == "warning"]


@pytest.mark.parametrize(
    ("place", "step", "resumed"),
    [
        ("step", 6, 0),
        ("step", 11, 10),
        ("step", 28, 20),
        ("before_save", 10, 0),
        ("during_save", 10, 0),
        ("before_save", 20, 10),
        ("during_save", 20, 10),
        ("after_save", 20, 20),
    ],
)
def test_an_interrupted_run_ends_in_the_same_bits(new_job, straight, tmp_path, place, step, resumed):
    job, fault = new_job(), Fault(interrupt, place, step, tmp_path / "faults")
    with pytest.raises(Interrupted):
        train(job, fault)
    assert not job.result.exists()
    train(job, fault)
    assert fault.count == 1
    assert starts(job) == [0, resumed]
    assert equal(job, straight)
    assert losses(job) == losses(straight)
    assert not list(job.checkpoints.glob(".*"))


def test_a_checkpoint_truncated_by_the_crash_is_passed_over(new_job, straight, tmp_path):
    job, fault = new_job(), Fault(interrupt, "after_save", 20, tmp_path / "faults")
    with pytest.raises(Interrupted):
        train(job, fault)
    newest = job.checkpoints / "step-00000020" / "model.safetensors"
    newest.write_bytes(newest.read_bytes()[: newest.stat().st_size // 2])
    train(job)
    assert starts(job) == [0, 10]
    assert "step-00000020/model.safetensors: its bytes differ" in warnings(job)[0]
    assert equal(job, straight)


def test_training_goes_on_over_two_failed_saves(new_job, straight, tmp_path):
    job, fault = new_job(checkpoint_steps=7), Fault(fill_disk, "during_save", None, tmp_path / "faults", times=2)
    train(job, fault)
    assert fault.count == 2
    assert sorted(path.name for path in job.checkpoints.iterdir()) == ["step-00000021", "step-00000028"]
    assert len(warnings(job)) == 2
    assert "step-00000007: cannot be written ([Errno 28] No space left on device)" in warnings(job)[0]
    assert equal(job, straight)


def test_three_failed_saves_in_a_row_stop_and_the_last_good_one_stays(new_job, straight, tmp_path):
    job, fault = new_job(checkpoint_steps=7), Fault(fill_disk, "during_save", None, tmp_path / "faults", times=3)
    saved, interrupted = new_job(checkpoint_steps=7), Fault(interrupt, "after_save", 7, tmp_path / "interrupted")
    with pytest.raises(Interrupted):
        train(saved, interrupted)
    with pytest.raises(InfrastructureError, match="step-00000028: cannot be written .*; free the disk and rerun"):
        train(job, fault)
    assert fault.count == 3
    assert [path.name for path in job.checkpoints.iterdir()] == ["step-00000007"]
    train(job)
    assert starts(job) == [0, 7, 7]
    assert equal(job, straight)


def test_failed_saves_that_are_not_in_a_row_do_not_add_up(new_job, tmp_path):
    job = new_job(checkpoint_steps=5)
    faults = [Fault(fill_disk, "during_save", step, tmp_path / f"fault-{step}") for step in (5, 10, 20, 25)]
    train(job, lambda *here: [fault(*here) for fault in faults])
    assert [fault.count for fault in faults] == [1, 1, 1, 1]
    assert len(warnings(job)) == 4


def test_a_disk_without_room_is_refused_before_the_first_step(new_job, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 1000, 1000))
    job = new_job()
    with pytest.raises(InfrastructureError, match=r"checkpoints: checkpoints need 0\.\d\d GB more, .*; free the disk"):
        train(job)
    assert losses(job) == []
