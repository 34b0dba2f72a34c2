"""Ranks as processes that exchange gradients, are killed, hang and disagree; no Ray."""

import shutil
import signal
import time

import pytest

from optical.errors import InfrastructureError, NumericalError
from optical.tracking.journal import rows
from optical.train import failure
from tests.train.faults import Fault, hang, kill
from tests.train.ranks import distance, equal, finish, losses, start, starts, train

pytestmark = pytest.mark.chaos


@pytest.mark.parametrize(
    ("place", "resumed"),
    [
        pytest.param("before_save", 0, marks=pytest.mark.slow),
        ("during_save", 0),
        pytest.param("after_save", 10, marks=pytest.mark.slow),
    ],
)
def test_a_killed_process_resumes_to_the_same_bits(new_job, tmp_path, place, resumed):
    job, straight, fault = new_job(epochs=3), new_job("straight", epochs=3), Fault(kill, place, 10, tmp_path / "faults")
    train(straight)
    assert finish(start(job, 1, fault)) == [-signal.SIGKILL]
    train(job, fault)
    assert fault.count == 1
    assert starts(job) == [0, resumed]
    assert equal(job, straight)
    assert losses(job) == losses(straight)


@pytest.mark.parametrize(("world_size", "accumulate"), [(2, 3), pytest.param(4, 1, marks=pytest.mark.slow)])
def test_the_number_of_ranks_and_parts_changes_nothing_but_rounding(new_job, world_size, accumulate):
    alone, together = new_job(epochs=2), new_job("together", epochs=2, accumulate=accumulate)
    train(alone)
    assert finish(start(together, world_size)) == [0] * world_size
    pairs = [[row["pairs"] for row in rows(job.journal) if row["event"] == "step"] for job in (alone, together)]
    assert pairs[0] == pairs[1]
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    assert distance(together, alone) < 1e-3


def test_a_killed_rank_ends_the_others_and_the_rest_of_the_way_is_the_same(new_job, tmp_path):
    job, straight, fault = (
        new_job(epochs=3),
        new_job("straight", epochs=3),
        Fault(kill, "step", 13, tmp_path / "f", rank=1),
    )
    train(straight)
    first, second = finish(start(job, 2, fault))
    assert (first, second) == (1, -signal.SIGKILL)
    assert not failure.is_reported(job.folder)
    # Fewer ranks than before: the order of batches does not know.
    train(job, fault)
    assert fault.count == 1
    assert starts(job) == [0, 10]
    assert losses(job) == pytest.approx(losses(straight), rel=1e-3)
    assert distance(job, straight) < 1e-3


@pytest.mark.slow
def test_a_hung_rank_is_not_waited_for_beyond_the_limit(new_job, tmp_path):
    job, fault = new_job(epochs=1), Fault(hang, "step", 3, tmp_path / "faults", rank=1)
    waiting, hung = start(job, 2, fault, timeout=5)
    began = time.monotonic()
    assert finish([waiting]) == [1]
    assert time.monotonic() - began < 100
    assert hung.is_alive()
    hung.kill()
    hung.join()
    assert fault.count == 1
    assert not failure.is_reported(job.folder)


def test_one_rank_that_is_not_finite_stops_all_before_the_update(new_job):
    job = new_job(epochs=1, checkpoint_steps=1)
    assert finish(start(job, 2, poisoned=1)) == [1, 1]
    with pytest.raises(NumericalError, match="^step 2: loss is nan"):
        failure.raise_reported(job.folder)
    assert not job.result.exists()
    assert sorted(path.name for path in job.checkpoints.iterdir()) == ["step-00000001", "step-00000002"]


def test_ranks_that_do_not_see_the_same_checkpoints_stop(new_job):
    job = new_job(epochs=3)
    train(job)
    shutil.rmtree(job.result)
    assert finish(start(job, 2, blind=1)) == [1, 1]
    with pytest.raises(InfrastructureError, match="some ranks resume from step 0 and others from step 10; choose"):
        failure.raise_reported(job.folder)
