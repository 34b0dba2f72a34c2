"""Checkpoints: what is restored is what was saved, and only what is whole and ours is restored."""

import logging

import pytest
import torch
from torch import nn

from optical.config import TrainConfig
from optical.train import checkpoint
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


def damage(path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


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


def test_the_newest_two_are_kept(saved):
    folder, _ = saved
    assert sorted(path.name for path in folder.iterdir()) == ["step-00000004", "step-00000006"]


@pytest.mark.parametrize("name", ["model.safetensors", "optimiser.safetensors"])
def test_a_damaged_newest_falls_back_aloud(saved, name, caplog):
    folder, weights = saved
    damage(folder / "step-00000006" / name)
    training = Training(seed=9)
    with caplog.at_level(logging.WARNING):
        assert training.restore(folder) == 4
    assert torch.equal(training.weights(), weights[4])
    assert f"step-00000006/{name}: its bytes differ" in caplog.text


def test_all_damaged_starts_over_with_untouched_weights(saved):
    folder, _ = saved
    for path in folder.glob("step-*/model.safetensors"):
        damage(path)
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
