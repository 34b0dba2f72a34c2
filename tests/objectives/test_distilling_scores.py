"""Pooled and score distillation on embeddings chosen by hand."""

import math

import pytest
import torch

from optical.data.batches.batch import PairBatch
from optical.errors import UserError
from optical.objectives.pooled import Config as PooledConfig
from optical.objectives.pooled import PooledDistillation
from optical.objectives.score_kl import Config, ScoreDistillation
from tests.readers import tokens_of

VECTORS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])


def look_up(ids, mask):
    """An encoder whose embedding of a token is its row in the table."""
    return VECTORS[ids]


def batch(source, target, weight=None) -> PairBatch:
    source, target = torch.tensor(source), torch.tensor(target)
    weight = torch.ones(len(source)) if weight is None else torch.tensor(weight)
    return PairBatch(0, len(source), tokens_of(source), tokens_of(target), weight)


def test_pooled_by_hand():
    # The means are (1/2, 1/2) and (1, 0), whose cosine is 1 / sqrt 2; the second pair has the same vectors.
    found = PooledDistillation(None, PooledConfig()).losses(look_up, batch([[1, 2], [3, 0]], [[1, 1], [3, 3]]))
    torch.testing.assert_close(found.value, torch.tensor([1 - 1 / math.sqrt(2), 0.0]), atol=1e-6, rtol=0)


def test_pooled_leaves_out_what_is_not_of_the_text():
    pairs = batch([[4, 1]], [[1, 0]])
    pairs.source.inner[0, 0] = False
    torch.testing.assert_close(PooledDistillation(None, PooledConfig()).losses(look_up, pairs).value, torch.zeros(1))


def divergence(goal: list[float], found: list[float]) -> float:
    one, other = (torch.tensor(scores).log_softmax(0) for scores in (goal, found))
    return float((one.exp() * (one - other)).sum())


def test_scores_by_hand():
    # Targets e1 and e2 score themselves 1 and each other 0; the sources e3 and e2 score them .6, .8 and 0, 1.
    found = ScoreDistillation(None, 0.5).losses(look_up, batch([[3], [2]], [[1], [2]]))
    expected = [divergence([2.0, 0.0], [1.2, 1.6]), 0.0]
    torch.testing.assert_close(found.value, torch.tensor(expected), atol=1e-6, rtol=0)
    assert found.observed["same_best"].tolist() == [0.0, 1.0]


def test_equal_targets_are_one_document_and_a_filler_is_none():
    alone = ScoreDistillation(None, 0.5).losses(look_up, batch([[3], [2]], [[1], [2]]))
    twice = ScoreDistillation(None, 0.5).losses(
        look_up, batch([[3], [2], [2], [1]], [[1], [2], [2], [4]], [1.0, 1.0, 1.0, 0.0])
    )
    torch.testing.assert_close(twice.value[:2], alone.value)


def test_only_the_student_has_a_gradient():
    table = VECTORS.clone().requires_grad_(True)
    objective = ScoreDistillation(None, 0.5)
    objective.targets = lambda encoder, pairs: VECTORS[pairs.target.ids]
    objective.losses(lambda ids, mask: table[ids], batch([[3], [2]], [[1], [4]])).value.sum().backward()
    assert table.grad[3].abs().sum() > 0
    assert table.grad.isfinite().all()
    assert table.grad[1].abs().sum() == 0


def test_a_temperature_of_zero_is_refused():
    with pytest.raises(UserError, match="objective.temperature"):
        Config(temperature=0.0)
