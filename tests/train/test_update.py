"""One update: the learning rate of each step, who decays, and what a number that is not finite does."""

import contextlib
import copy
import dataclasses
import math

import pytest
import torch
from torch import nn

from optical.data.batches.batch import PairBatch
from optical.errors import NotFiniteError, NumericalError
from optical.objectives.base import Outcome
from optical.train.config import TrainConfig
from optical.train.optimiser import build_optimiser, learning_rate
from optical.train.step import update
from tests.readers import tokens_of


@pytest.fixture
def batch() -> PairBatch:
    ids = torch.ones(2, 3, dtype=torch.long)
    return PairBatch(7, 2, tokens_of(ids), tokens_of(ids), torch.ones(2))


@pytest.fixture
def long_batch() -> PairBatch:
    """Seven pairs of two data sets, of which the last counts for nothing; the source is their only number."""
    ids = torch.tensor([[2], [3], [5], [7], [11], [13], [17]])
    weight, dataset = torch.tensor([1.0] * 6 + [0.0]), torch.tensor([0, 1, 0, 1, 0, 0, 0])
    return PairBatch(7, 6, tokens_of(ids), tokens_of(ids), weight, dataset, ("news", "talk"))


class Line(nn.Module):
    """One weight; the objectives below see nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([3.0]))


def square(line: nn.Module, batch: PairBatch) -> Outcome:
    return Outcome((line.weight**2).sum(), {"weight": line.weight.detach().sum()})


def test_one_step_by_hand(batch):
    line = Line()
    optimiser = torch.optim.SGD(line.parameters(), lr=99.0)
    done = update(line, square, optimiser, batch, rate=0.1, max_grad_norm=100.0)
    assert (done.loss, done.grad_norm, done.observed) == (9.0, 6.0, {"weight": 3.0})
    assert line.weight.item() == pytest.approx(3 - 0.1 * 6)
    assert optimiser.param_groups[0]["lr"] == 0.1


def test_the_gradient_is_clipped_and_its_norm_told_before(batch):
    line = Line()
    done = update(line, square, torch.optim.SGD(line.parameters(), lr=1.0), batch, rate=1.0, max_grad_norm=0.5)
    assert done.grad_norm == 6.0
    assert line.weight.item() == pytest.approx(3 - 0.5, abs=1e-5)


def test_old_gradients_are_forgotten(batch):
    line = Line()
    line.weight.grad = torch.tensor([1000.0])
    assert update(line, square, torch.optim.SGD(line.parameters(), lr=1.0), batch, 0.1, 100.0).grad_norm == 6.0


@pytest.mark.parametrize(
    "objective",
    [
        lambda line, _: Outcome(line.weight.sum() * math.inf, {}),
        lambda line, _: Outcome(line.weight.sum() * math.nan, {}),
        # A finite loss whose gradient is not: the square root at zero.
        lambda line, _: Outcome((line.weight - line.weight.detach()).sqrt().sum(), {}),
    ],
    ids=["inf", "nan", "gradient"],
)
def test_nothing_moves_unless_everything_is_finite(batch, objective):
    line = Line()
    optimiser = torch.optim.AdamW(line.parameters(), lr=0.1)
    update(line, square, optimiser, batch, 0.1, 1.0)
    weight, state = line.weight.detach().clone(), copy.deepcopy(optimiser.state_dict())
    with pytest.raises(NumericalError, match="^step 7: .* must be finite; lower the learning rate or raise obj"):
        update(line, objective, optimiser, batch, 0.1, 1.0)
    assert torch.equal(line.weight.detach(), weight)
    assert optimiser.state_dict()["param_groups"] == state["param_groups"]
    for name, value in optimiser.state_dict()["state"][0].items():
        assert torch.equal(value, state["state"][0][name])


def test_an_encoder_that_has_diverged_is_told_with_its_step(batch):
    def diverged(line, _):
        raise NotFiniteError("source, pair 3", "the embedding of its token 2 is not finite", "look for overflow")

    line = Line()
    said = "^step 7: source, pair 3: the embedding of its token 2 is not finite; lower the learning rate or raise obj"
    with pytest.raises(NumericalError, match=said):
        update(line, diverged, torch.optim.AdamW(line.parameters()), batch, 0.1, 1.0)


def test_the_rate_rises_and_falls_in_lines():
    config = TrainConfig(learning_rate=2.0, warmup_share=0.2)
    rates = [learning_rate(step, 10, config) for step in range(10)]
    assert rates == pytest.approx([1.0, 2.0, 2.0, 1.75, 1.5, 1.25, 1.0, 0.75, 0.5, 0.25])


@pytest.mark.parametrize("num_steps", [1, 2, 3, 50])
@pytest.mark.parametrize("share", [0.0, 0.1, 0.99])
def test_every_step_has_a_positive_rate_within_the_peak(num_steps, share):
    config = TrainConfig(learning_rate=0.3, warmup_share=share)
    rates = [learning_rate(step, num_steps, config) for step in range(num_steps)]
    assert all(0 < rate <= 0.3 for rate in rates)
    assert max(rates) == pytest.approx(0.3)


def test_matrices_decay_and_vectors_and_embeddings_do_not(encoder):
    optimiser = build_optimiser(encoder, TrainConfig(weight_decay=0.05, learning_rate=0.1))
    decays = {id(p): group["weight_decay"] for group in optimiser.param_groups for p in group["params"]}
    names = dict(encoder.named_parameters())
    assert set(decays) == {id(parameter) for parameter in names.values()}
    for name, parameter in names.items():
        expected = 0.05 if parameter.ndim == 2 and "embeddings" not in name else 0.0
        assert decays[id(parameter)] == expected, name
    assert decays[id(encoder.head[0].linear.weight)] == 0.05


def test_no_parameter_is_lost_when_nothing_decays(encoder):
    optimiser = build_optimiser(encoder, TrainConfig(weight_decay=0.0))
    assert sum(len(group["params"]) for group in optimiser.param_groups) == len(list(encoder.parameters()))


def test_the_loss_of_each_data_set_by_hand():
    ids = torch.ones(4, 3, dtype=torch.long)
    weight, dataset = torch.tensor([1.0, 1.0, 1.0, 0.0]), torch.tensor([0, 2, 0, 0])
    names = ("news", "talk", "data/a.swa+a.eng")
    batch = PairBatch(7, 3, tokens_of(ids), tokens_of(ids), weight, dataset, names)
    losses = torch.tensor([1.0, 5.0, 2.0, 100.0])
    line = Line()

    def objective(line: nn.Module, batch: PairBatch) -> Outcome:
        return Outcome(line.weight.sum(), {"seen": losses.sum()}, losses)

    done = update(line, objective, torch.optim.SGD(line.parameters(), lr=1.0), batch, 0.1, 1.0)
    assert done.observed == {
        "seen": 108.0,
        "loss/news": 1.5,
        "pairs/news": 2.0,
        "loss/data_a.swa_a.eng": 5.0,
        "pairs/data_a.swa_a.eng": 1.0,
    }


def test_one_data_set_is_not_told_twice(batch):
    named = dataclasses.replace(batch, dataset=torch.zeros(2, dtype=torch.long), dataset_names=("news",))
    line = Line()

    def objective(line: nn.Module, batch: PairBatch) -> Outcome:
        return Outcome(line.weight.sum(), {}, torch.ones(2))

    assert update(line, objective, torch.optim.SGD(line.parameters(), lr=1.0), named, 0.1, 1.0).observed == {}


class Replica(Line):
    """Counts what happens while ranks exchange gradients, and while they do not."""

    def __init__(self) -> None:
        super().__init__()
        self.apart = self.together = 0
        self._synchronised = True

    @contextlib.contextmanager
    def no_sync(self):
        self._synchronised = False
        yield
        self._synchronised = True

    def forward(self) -> torch.Tensor:
        self.together += self._synchronised
        self.apart += not self._synchronised
        return self.weight


def fit(line: nn.Module, batch: PairBatch) -> Outcome:
    error = (line() * batch.source.ids[:, 0] - 1) ** 2
    weight = batch.weight / batch.global_pairs
    return Outcome((error * weight).sum(), {"error": (error.detach() * weight).sum()}, error.detach())


@pytest.mark.parametrize(("accumulate", "parts"), [(1, 1), (2, 2), (3, 3), (7, 7), (100, 7)])
def test_parts_make_the_same_update_and_exchange_gradients_once(long_batch, accumulate, parts):
    whole, line = Replica(), Replica()
    expected = update(whole, fit, torch.optim.SGD(whole.parameters(), lr=1.0), long_batch, 0.01, 1e9)
    done = update(line, fit, torch.optim.SGD(line.parameters(), lr=1.0), long_batch, 0.01, 1e9, accumulate)
    assert (line.together, line.apart) == (1, parts - 1)
    assert line.weight.item() == pytest.approx(whole.weight.item(), rel=1e-6)
    assert (done.loss, done.grad_norm) == pytest.approx((expected.loss, expected.grad_norm), rel=1e-6)
    assert done.tokens == expected.tokens == 12
    assert done.observed == pytest.approx(expected.observed, rel=1e-6)
    assert done.observed["pairs/news"] == 4


def test_a_part_that_is_not_finite_spoils_the_step(long_batch):
    line = Line()

    def objective(line: nn.Module, batch: PairBatch) -> Outcome:
        return Outcome((line.weight / (batch.source.ids - 2)).sum(), {})

    with pytest.raises(NumericalError):
        update(line, objective, torch.optim.SGD(line.parameters(), lr=1.0), long_batch, 0.1, 1.0, 3)
    assert line.weight.item() == 3.0
