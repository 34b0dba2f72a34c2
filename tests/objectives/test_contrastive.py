"""The contrastive loss on embeddings chosen by hand."""

import dataclasses
import math

import pytest
import torch

from optical.data.batches.batch import PairBatch
from optical.model.text import pad
from optical.objectives.contrastive import InBatchContrastive

VECTORS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])


def look_up(ids, mask):
    """An encoder whose embedding of a token is its row in the table."""
    return VECTORS[ids]


def batch(source, target, weight=None, global_pairs=0) -> PairBatch:
    source, target = torch.tensor(source), torch.tensor(target)
    weight = torch.ones(len(source)) if weight is None else torch.tensor(weight)
    return PairBatch(0, global_pairs or len(source), source, source > 0, target, target > 0, weight)


def test_two_questions_by_hand():
    # Question 1 (tokens e1, e2) scores passage 1 (e1) at 1 + 0 and passage 2 (e2, e3) at 0.6 + 1, over 2 tokens;
    # question 2 (e2) scores them at 0 and 1.
    outcome = InBatchContrastive(None, temperature=0.5)(look_up, batch([[1, 2], [2, 0]], [[1, 0], [2, 3]]))
    first = math.log(math.exp(0.5 / 0.5) + math.exp(0.8 / 0.5)) - 0.5 / 0.5
    second = math.log(math.exp(0) + math.exp(1 / 0.5)) - 1 / 0.5
    assert outcome.loss.item() == pytest.approx((first + second) / 2, abs=1e-6)
    assert outcome.observed["in_batch_accuracy"].item() == 0.5


def test_weight_and_global_pairs_make_a_share_of_the_global_mean():
    whole = InBatchContrastive(None, 0.1)(look_up, batch([[1], [2], [3]], [[3], [2], [1]]))
    share = InBatchContrastive(None, 0.1)(look_up, batch([[1], [2], [3]], [[3], [2], [1]], global_pairs=12))
    assert whole.loss.item() > 0
    assert share.loss.item() == pytest.approx(whole.loss.item() / 4)


def test_a_filler_is_no_negative():
    objective = InBatchContrastive(None, 0.1)
    filled = objective(look_up, batch([[1], [3], [1]], [[3], [2], [1]], weight=[1.0, 1.0, 0.0], global_pairs=2))
    without = objective(look_up, batch([[1], [3]], [[3], [2]]))
    counted = objective(look_up, batch([[1], [3], [1]], [[3], [2], [1]]))
    assert filled.loss.item() == pytest.approx(without.loss.item())
    assert counted.loss.item() > filled.loss.item()


def test_the_same_text_as_ones_own_target_is_no_negative():
    # Questions 1 and 2 have the same passage; one is padded further than the other. Question 3's differs in one token.
    pairs = batch([[1], [2], [1]], [[3, 0, 0], [3, 0, 0], [3, 2, 0]])
    losses = InBatchContrastive(None, temperature=1.0).losses(look_up, pairs).value
    assert losses[0].item() == pytest.approx(math.log(math.exp(0.6) + math.exp(0.6)) - 0.6, abs=1e-6)
    assert losses[1].item() == pytest.approx(math.log(math.exp(0.8) + math.exp(1.0)) - 0.8, abs=1e-6)
    assert losses[2].item() == pytest.approx(math.log(3 * math.exp(0.6)) - 0.6, abs=1e-6)


def negatives(pairs: PairBatch, ids: list[list[int]]) -> PairBatch:
    ids = torch.tensor(ids)
    return dataclasses.replace(pairs, negative_ids=ids, negative_mask=ids > 0)


def test_mined_negatives_of_all_pairs_are_scored_by_hand():
    # The question e1 scores its passage (e1) at 1, the other (e2) at 0, the negatives (e3) at 0.6 and (-e1) at -1.
    pairs = negatives(batch([[1], [2]], [[1], [2]]), [[3, 0], [4, 4]])
    losses = InBatchContrastive(None, temperature=0.5).losses(look_up, pairs).value
    first = math.log(sum(math.exp(score / 0.5) for score in (1, 0, 0.6, -1))) - 1 / 0.5
    second = math.log(sum(math.exp(score / 0.5) for score in (0, 1, 0.8, 0))) - 1 / 0.5
    assert losses.tolist() == pytest.approx([first, second], abs=1e-6)


def test_a_pair_without_a_mined_negative_adds_none_and_breaks_no_gradient(encoder, bitext, tokenizer):
    sides = [pad([tokenizer.encode(pair[side]).ids for pair in bitext[:3]]) for side in (0, 1)]
    plain = PairBatch(0, 3, *sides[0], *sides[1], torch.ones(3))
    empty = dataclasses.replace(
        plain, negative_ids=torch.zeros(3, 4, dtype=torch.long), negative_mask=torch.zeros(3, 4, dtype=torch.bool)
    )
    encoder.train()
    outcomes = [InBatchContrastive(None, 0.1)(encoder, one) for one in (plain, empty)]
    assert outcomes[1].loss.item() == pytest.approx(outcomes[0].loss.item(), abs=1e-6)
    outcomes[1].loss.backward()
    assert all(parameter.grad.isfinite().all() for parameter in encoder.parameters())


def test_a_mined_negative_equal_to_the_own_target_is_none():
    without = InBatchContrastive(None, 0.1)(look_up, batch([[1]], [[3]]))
    own = InBatchContrastive(None, 0.1)(look_up, negatives(batch([[1]], [[3]]), [[3, 0]]))
    other = InBatchContrastive(None, 0.1)(look_up, negatives(batch([[1]], [[3]]), [[2, 0]]))
    assert own.loss.item() == without.loss.item() == 0
    assert other.loss.item() > 0


def test_a_filler_alone_gives_no_loss():
    outcome = InBatchContrastive(None, 0.1)(look_up, batch([[1]], [[3]], weight=[0.0], global_pairs=2))
    assert outcome.loss.item() == 0


def test_questions_of_any_length_are_scaled_alike():
    short = InBatchContrastive(None, 0.1)(look_up, batch([[1, 0], [2, 0]], [[1], [3]]))
    doubled = InBatchContrastive(None, 0.1)(look_up, batch([[1, 1], [2, 2]], [[1], [3]]))
    torch.testing.assert_close(short.loss, doubled.loss)
