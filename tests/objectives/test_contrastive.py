"""The contrastive loss on embeddings chosen by hand."""

import math

import pytest
import torch

from optical.data.batches.batch import PairBatch
from optical.objectives.contrastive import InBatchContrastive
from tests.readers import tokens_of

VECTORS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])


def look_up(ids, mask):
    """An encoder whose embedding of a token is its row in the table."""
    return VECTORS[ids]


def batch(source, target, weight=None, global_pairs=0) -> PairBatch:
    source, target = torch.tensor(source), torch.tensor(target)
    weight = torch.ones(len(source)) if weight is None else torch.tensor(weight)
    return PairBatch(0, global_pairs or len(source), tokens_of(source), tokens_of(target), weight)


def test_two_questions_by_hand():
    # Question 1 (tokens e1, e2) scores passage 1 (e1) at 1 + 0 and passage 2 (e2, e3) at 0.6 + 1, over 2 tokens;
    # question 2 (e2) scores them at 0 and 1.
    outcome = InBatchContrastive(None, temperature=0.5)(look_up, batch([[1, 2], [2, 0]], [[1, 0], [2, 3]]))
    first = math.log(math.exp(0.5 / 0.5) + math.exp(0.8 / 0.5)) - 0.5 / 0.5
    second = math.log(math.exp(0) + math.exp(1 / 0.5)) - 1 / 0.5
    assert outcome.loss.item() == pytest.approx((first + second) / 2, abs=1e-6)
    assert outcome.observed["in_batch_accuracy"].item() == 0.5


def test_weight_and_global_pairs_make_a_share_of_the_global_mean():
    whole = InBatchContrastive(None, 0.1)(look_up, batch([[1], [2]], [[3], [2]]))
    half = InBatchContrastive(None, 0.1)(look_up, batch([[1], [2]], [[3], [2]], weight=[1.0, 0.0], global_pairs=4))
    one = InBatchContrastive(None, 0.1)(look_up, batch([[1], [2]], [[3], [2]], weight=[1.0, 0.0], global_pairs=1))
    assert half.loss.item() == pytest.approx(one.loss.item() / 4)
    assert whole.loss.item() > half.loss.item()


def test_a_filler_alone_gives_no_loss():
    outcome = InBatchContrastive(None, 0.1)(look_up, batch([[1]], [[3]], weight=[0.0], global_pairs=2))
    assert outcome.loss.item() == 0


def test_questions_of_any_length_are_scaled_alike():
    short = InBatchContrastive(None, 0.1)(look_up, batch([[1, 0], [2, 0]], [[1], [3]]))
    doubled = InBatchContrastive(None, 0.1)(look_up, batch([[1, 1], [2, 2]], [[1], [3]]))
    torch.testing.assert_close(short.loss, doubled.loss)
