"""Checkpoints: what is restored is what was saved, and only what is whole and ours is restored."""

import errno
import logging
import os
import resource
import shutil
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from optical.errors import DataError, InfrastructureError
from optical.train import checkpoint
from optical.train.config import TrainConfig
from optical.train.optimiser import build_optimiser

OURS, OTHERS = "a" * 64, "b" * 64


class Training:
    """Four weights and a bias, moved by AdamW towards random targets."""

    def __init__(self, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.model = nn.Linear(4, 1)
        self.optimiser = build_optimiser(self.model, TrainConfig(learning_rate=0.01))

    def step(self, number: int) -> None:
        inputs = torch.randn(8, 4, generator=torch.Generator().manual_seed(number))
        self.optimiser.zero_grad()
        self.model(inputs).square().sum().backward()
        self.optimiser.step()

    def save(self, folder, step: int, fingerprint: str = OURS) -> None:
        checkpoint.save(folder, step, self.model, self.optimiser, fingerprint)

    def restore(self, folder) -> int:
        return checkpoint.restore(folder, self.model, self.optimiser, OURS)

    def weights(self) -> torch.Tensor:
        return torch.cat([parameter.detach().flatten() for parameter in self.model.parameters()])


@pytest.fixture
def saved(tmp_path):
    """Checkpoints after 2, 4 and 6 steps, and the weights at each."""
    training, weights = Training(), {}
    for number in range(1, 7):
        training.step(number)
        weights[number] = training.weights()
        if number % 2 == 0:
            training.save(tmp_path, number)
    return tmp_path, weights


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def halve(path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path) -> None:
    path.write_bytes(b"")


def test_nothing_saved_is_step_zero(tmp_path):
    training = Training()
    before = training.weights()
    assert training.restore(tmp_path / "never") == 0
    assert torch.equal(training.weights(), before)


def test_weights_and_optimiser_come_back_and_go_on_alike(saved):
    folder, weights = saved
    fresh = Training(seed=9)
    assert fresh.restore(folder) == 6
    assert torch.equal(fresh.weights(), weights[6])
    straight = Training()
    for number in range(1, 9):
        straight.step(number)
    fresh.step(7)
    fresh.step(8)
    assert torch.equal(fresh.weights(), straight.weights())
    first, second = straight.optimiser.state_dict()["state"], fresh.optimiser.state_dict()["state"]
    assert all(torch.equal(first[i][name], second[i][name]) for i in first for name in first[i])


def test_frozen_parameters_are_neither_written_nor_counted_nor_needed(tmp_path, monkeypatch):
    free = []
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: SimpleNamespace(free=free[-1]))
    model = nn.Sequential(nn.Linear(100, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    model[0].requires_grad_(False)
    optimiser = build_optimiser(model, TrainConfig())
    # Three times the 13 trained weights of four bytes; the running mean and variance, and a counter of eight.
    needed = 3 * (3 * 13 * 4 + 2 * 4 * 4 + 8)
    for left in (needed, needed - 1):
        free.append(left)
        with nullcontext() if left == needed else pytest.raises(InfrastructureError, match="checkpoints need 0.00 GB"):
            checkpoint.check_space(tmp_path, model)
    checkpoint.save(tmp_path, 1, model, optimiser, OURS)
    saved = load_file(tmp_path / "step-00000001" / "model.safetensors")
    assert set(saved) == {name for name in model.state_dict() if not name.startswith("0.")}
    with torch.no_grad():
        model[0].weight.fill_(3.0)
        model[2].weight.fill_(5.0)
    assert checkpoint.restore(tmp_path, model, optimiser, OURS) == 1
    assert torch.equal(model[2].weight, saved["2.weight"])
    assert (model[0].weight == 3.0).all()


def test_a_checkpoint_of_other_weights_is_refused_before_any_is_loaded(tmp_path):
    training, wider = Training(), nn.Linear(5, 1)
    training.save(tmp_path, 2)
    before = wider.bias.detach().clone()
    with pytest.raises(
        DataError, match="step-00000002: weight and 0 more are not the weights that are trained; delete"
    ):
        checkpoint.restore(tmp_path, wider, build_optimiser(wider, TrainConfig()), OURS)
    assert torch.equal(wider.bias.detach(), before)


def test_a_checkpoint_of_whole_state_goes_on_where_nothing_is_frozen(tmp_path, encoder):
    """Names and order of weights and moments are those of earlier versions: first the weights that decay."""
    optimiser = build_optimiser(encoder, TrainConfig())
    for parameter in encoder.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimiser.step()
    checkpoint.save(tmp_path, 1, encoder, optimiser, OURS)
    saved = [load_file(tmp_path / "step-00000001" / f"{name}.safetensors") for name in ("model", "optimiser")]
    assert saved[0].keys() == encoder.state_dict().keys()
    named = list(encoder.named_parameters())
    decaying = [value for name, value in named if value.ndim == 2 and "embeddings" not in name]
    others = [value for name, value in named if value.ndim == 1 or "embeddings" in name]
    for number, parameter in enumerate([*decaying, *others]):
        assert torch.equal(saved[1][f"{number}.exp_avg"], optimiser.state[parameter]["exp_avg"])
        assert saved[1][f"{number}.exp_avg"].shape == parameter.shape


def test_the_newest_two_are_kept(saved):
    folder, _ = saved
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000004", "step-00000006"]


@pytest.mark.parametrize("damage", [flip, halve, empty, Path.unlink])
@pytest.mark.parametrize("name", ["model.safetensors", "optimiser.safetensors", "manifest.json"])
def test_a_damaged_newest_falls_back_aloud(saved, name, damage, caplog):
    folder, weights = saved
    damage(folder / "step-00000006" / name)
    training = Training(seed=9)
    with caplog.at_level(logging.WARNING):
        assert training.restore(folder) == 4
    assert torch.equal(training.weights(), weights[4])
    assert "checkpoint skipped: " in caplog.text
    assert "step-00000006" in caplog.text


def test_no_byte_of_a_manifest_can_change_unseen(saved):
    folder, weights = saved
    manifest = folder / "step-00000006" / "manifest.json"
    whole = manifest.read_bytes()
    for place in range(len(whole)):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        manifest.write_bytes(content)
        training = Training(seed=9)
        # White space may turn into other white space; nothing else may turn into anything.
        believable = {4, 6} if whole[place : place + 1].isspace() else {4}
        restored = training.restore(folder)
        assert restored in believable
        assert torch.equal(training.weights(), weights[restored])


def test_the_empty_and_the_missing_are_passed_over(saved):
    folder, _ = saved
    (folder / "step-00000008").mkdir()
    (folder / "step-00000006.bak").mkdir()
    shutil.rmtree(folder / "step-00000006")
    training = Training(seed=9)
    assert training.restore(folder) == 4
    training.save(folder, 5)
    assert training.restore(folder) == 5


def test_a_checkpoint_says_its_own_step(saved):
    folder, _ = saved
    (folder / "step-00000006").rename(folder / "step-00000007")
    assert Training(seed=9).restore(folder) == 4


def test_all_damaged_starts_over_with_untouched_weights(saved):
    folder, _ = saved
    for path in folder.glob("step-*/model.safetensors"):
        flip(path)
    training = Training(seed=9)
    before = training.weights()
    assert training.restore(folder) == 0
    assert torch.equal(training.weights(), before)


def test_a_checkpoint_of_another_run_is_ignored(saved):
    folder, weights = saved
    Training(seed=5).save(folder, 8, OTHERS)
    training = Training(seed=9)
    assert training.restore(folder) == 6
    assert torch.equal(training.weights(), weights[6])


def test_checkpoints_of_another_run_do_not_push_ours_out(tmp_path):
    other, ours = Training(seed=5), Training()
    for step in (800, 1000):
        other.save(tmp_path, step, OTHERS)
    ours.save(tmp_path, 200)
    assert Training(seed=9).restore(tmp_path) == 200


def test_an_uncommitted_checkpoint_is_not_seen(saved):
    folder, _ = saved
    (folder / ".tmp-step-00000008-0badcafe").mkdir()
    assert Training(seed=9).restore(folder) == 6


@pytest.mark.parametrize("call", ["fsync", "rename", "replace"])
def test_a_full_disk_at_any_call_leaves_the_last_checkpoint(saved, call, monkeypatch):
    folder, weights = saved
    training, original, failures = Training(), getattr(os, call), 0
    for number in range(1, 9):
        training.step(number)
    while True:
        calls = iter(range(failures, -1, -1))

        def refuse_last(*arguments, calls=calls, **options):
            if next(calls, None) == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return original(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, call, refuse_last)
            try:
                training.save(folder, 8)
                break
            except InfrastructureError as error:
                assert "step-00000008: cannot be written ([Errno 28] No space left on device)" in str(error)
        failures += 1
        assert not list(folder.glob(".*"))
        fresh = Training(seed=9)
        restored = fresh.restore(folder)
        # A save that fails in its very last call has been made all the same.
        assert torch.equal(fresh.weights(), {6: weights[6], 8: training.weights()}[restored])
        shutil.rmtree(folder / "step-00000008", ignore_errors=True)
    assert failures > 0
    assert Training(seed=9).restore(folder) == 8


def test_a_disk_that_takes_no_more_bytes(saved):
    folder, _ = saved
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(InfrastructureError, match="step-00000008: cannot be written"):
            Training().save(folder, 8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000004", "step-00000006"]
