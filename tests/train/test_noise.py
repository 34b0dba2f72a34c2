"""Pairs that look misaligned count less: Huber's weights by hand, in a batch with noise, over ranks, in the loop."""

import dataclasses
import math

import pytest
import torch
from torch import nn

from optical.data.batches.batch import PairBatch
from optical.errors import UserError
from optical.model.text.padding import pad
from optical.objectives.base import Losses, Objective
from optical.objectives.ot import Config as OTConfig
from optical.objectives.ot import TransportDistillation
from optical.recipe import decisive
from optical.tracking.journal import rows
from optical.train.config import TrainConfig
from optical.train.noise import HuberWeighted, huber_weights, noise_weighted
from pipelines.recipes import recipe
from tests.readers import FRAME, tokens_of
from tests.train.ranks import distance, equal, finish, losses, start, train


class Given(Objective):
    """The loss of a pair is its source id times a weight of the encoder."""

    def losses(self, encoder, batch):
        return Losses(encoder.weight * batch.source.ids[:, 0].float(), {"ones": torch.ones(len(batch.weight))})


def batch(values, weight=None, global_pairs=0) -> PairBatch:
    ids = torch.tensor(values).unsqueeze(1)
    weight = torch.ones(len(ids)) if weight is None else torch.tensor(weight)
    return PairBatch(0, global_pairs or int(weight.sum()), tokens_of(ids), tokens_of(ids), weight)


def encoder(value: float = 1.0) -> nn.Module:
    model = nn.Linear(1, 1, bias=False)
    model.weight = nn.Parameter(torch.tensor(value))
    return model


def test_weights_by_hand():
    # Median 3, median absolute deviation 1: the weight is 1 up to 1.345 * 1.4826 above the median.
    most = 1.345 * 1.4826
    found = huber_weights(torch.tensor([1.0, 2.0, 3.0, 4.0, 13.0]))
    torch.testing.assert_close(found, torch.tensor([1.0, 1.0, 1.0, 1.0, most / 10]))
    assert huber_weights(torch.tensor([-50.0, 2.0, 3.0, 4.0, 5.0])).tolist()[0] == 1


def test_weights_of_equal_losses_and_of_one_loss_are_one():
    assert huber_weights(torch.tensor([2.0])).tolist() == [1]
    assert huber_weights(torch.tensor([2.0, 2.0, 2.0, 9.0])).tolist() == [1] * 4


def test_losses_of_another_unit_have_the_same_weights():
    some = torch.rand(50, generator=torch.Generator().manual_seed(3)) ** 4
    torch.testing.assert_close(huber_weights(some * 7 + 2), huber_weights(some), atol=1e-5, rtol=0)


def test_the_loss_is_the_weighted_mean_and_weights_have_no_gradient():
    model, given = encoder(), batch([1, 2, 3, 4, 13])
    outcome = HuberWeighted(Given(None))(model, given)
    low = 1.345 * 1.4826 / 10
    assert outcome.loss.item() == pytest.approx((10 + low * 13) / (4 + low))
    outcome.loss.backward()
    assert model.weight.grad.item() == pytest.approx((10 + low * 13) / (4 + low))
    assert outcome.observed["noise_weight"].item() == pytest.approx((4 + low) / 5)
    assert outcome.observed["ones"].item() == pytest.approx(1)
    assert outcome.pair_loss.tolist() == [1, 2, 3, 4, 13]


def test_a_filler_has_no_say():
    plain = HuberWeighted(Given(None))(encoder(), batch([1, 2, 3, 4, 13]))
    filled = HuberWeighted(Given(None))(encoder(), batch([1, 2, 3, 4, 13, 500], [1.0] * 5 + [0.0]))
    assert filled.loss.item() == pytest.approx(plain.loss.item())
    assert filled.observed["noise_weight"].item() == pytest.approx(plain.observed["noise_weight"].item())


def test_a_loss_that_is_not_finite_stays_one():
    assert not HuberWeighted(Given(None))(encoder(math.nan), batch([1, 2, 3])).loss.isfinite()


def test_thirty_in_a_hundred_misaligned_pairs_count_clearly_less():
    draw = torch.Generator().manual_seed(0)
    table = torch.nn.functional.normalize(torch.randn(400, 16, generator=draw), dim=1)
    sentences = [[2, *torch.randint(4, 400, (6,), generator=draw).tolist(), 3] for _ in range(100)]
    targets = [*sentences[:70], *sentences[71:], sentences[70]]

    def near(ids, mask):
        noise = 0.1 * torch.randn(*ids.shape, 16, generator=draw)
        return torch.nn.functional.normalize(table[ids] + noise, dim=2)

    pairs = PairBatch(0, 100, pad(sentences, FRAME), pad(targets, FRAME), torch.ones(100))
    found = TransportDistillation(None, OTConfig()).losses(near, pairs).value
    weights = huber_weights(found)
    aligned, misaligned = weights[:70], weights[70:]
    assert aligned.mean() > 0.95
    assert misaligned.max() < 0.5 < aligned.min()
    # The share of the noise in the weighted mean, 0.3 without weights.
    assert misaligned.sum() / weights.sum() < 0.15


def test_off_is_the_objective_itself():
    objective = Given(None)
    assert noise_weighted(objective, "off") is objective


def test_a_run_journals_the_mean_weight(new_job):
    job = new_job(epochs=1, noise_weighting="huber")
    train(job)
    found = [row["noise_weight"] for row in rows(job.journal) if row["event"] == "step"]
    assert all(0.5 < weight <= 1 for weight in found)
    assert min(found) < 1


@pytest.mark.chaos
def test_the_number_of_ranks_changes_nothing_but_rounding(new_job):
    alone, together, plain = (
        new_job(name, epochs=2, noise_weighting=rule)
        for name, rule in (("alone", "huber"), ("together", "huber"), ("plain", "off"))
    )
    train(alone)
    train(plain)
    assert finish(start(together, 2)) == [0] * 2
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    assert distance(together, alone) < 1e-3
    assert not equal(alone, plain)


def test_parts_of_a_batch_are_refused():
    with pytest.raises(UserError, match=r"^train.accumulate: is 2, and train.noise_weighting compares .*; set 1$"):
        TrainConfig(noise_weighting="huber", accumulate=2)


def test_it_decides_a_run_only_where_it_is_on():
    demo = recipe("demo")
    on = dataclasses.replace(demo, train=dataclasses.replace(demo.train, noise_weighting="huber"))
    assert "noise_weighting" not in decisive(demo)["train"]
    assert decisive(on)["train"]["noise_weighting"] == "huber"
