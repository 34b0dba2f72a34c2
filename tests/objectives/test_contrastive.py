"""The contrastive loss on embeddings chosen by hand."""

import dataclasses
import math

import pytest
import torch

from optical.data.batches.batch import PairBatch
from optical.model.text.padding import TokenBatch
from optical.objectives.contrastive import InBatchContrastive

VECTORS = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [-1.0, 0.0]])


def look_up(ids, mask):
    """An encoder whose embedding of a token is its row in the table."""
    return VECTORS[ids]


def tokens(ids) -> TokenBatch:
    """Rows of ids that all take part in everything; 0 is padding."""
    ids = torch.tensor(ids)
    return TokenBatch(ids, ids > 0, ids > 0, ids > 0)


def batch(source, target, weight=None, global_pairs=0, negative=None) -> PairBatch:
    weight = torch.ones(len(source)) if weight is None else torch.tensor(weight)
    mined = tokens(negative) if negative else None
    return PairBatch(0, global_pairs or len(source), tokens(source), tokens(target), weight, negative=mined)


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
    assert losses[2].item() == pytest.approx(math.log(2), abs=1e-6)


def test_another_text_counts_once_however_often_it_comes():
    one = InBatchContrastive(None, 0.1).losses(look_up, batch([[1], [1]], [[3], [2]])).value
    two = InBatchContrastive(None, 0.1).losses(look_up, batch([[1], [1], [1]], [[3], [2], [2]])).value
    assert two[0].item() == pytest.approx(one[0].item(), abs=1e-6)


def test_mined_negatives_of_all_pairs_are_scored_by_hand():
    # The question e1 scores its passage (e1) at 1, the other (e2) at 0, the negatives (e3) at 0.6 and (-e1) at -1.
    pairs = batch([[1], [2]], [[1], [2]], negative=[[3, 0], [4, 4]])
    losses = InBatchContrastive(None, temperature=0.5).losses(look_up, pairs).value
    first = math.log(sum(math.exp(score / 0.5) for score in (1, 0, 0.6, -1))) - 1 / 0.5
    second = math.log(sum(math.exp(score / 0.5) for score in (0, 1, 0.8, 0))) - 1 / 0.5
    assert losses.tolist() == pytest.approx([first, second], abs=1e-6)


def test_a_pair_without_a_mined_negative_adds_none():
    plain = InBatchContrastive(None, 0.1).losses(look_up, batch([[1], [2]], [[3], [2]])).value
    own = InBatchContrastive(None, 0.1).losses(look_up, batch([[1], [2]], [[3], [2]], negative=[[3, 0], [2, 0]])).value
    assert own.tolist() == pytest.approx(plain.tolist(), abs=1e-6)


def test_a_fillers_mined_negative_is_none():
    alone = InBatchContrastive(None, 0.1)(look_up, batch([[1]], [[3]], negative=[[2]]))
    filled = batch([[1], [1]], [[3], [3]], weight=[1.0, 0.0], global_pairs=1, negative=[[2], [4]])
    assert InBatchContrastive(None, 0.1)(look_up, filled).loss.item() == pytest.approx(alone.loss.item(), abs=1e-6)
    assert alone.loss.item() > 0


def test_tokens_that_do_not_score_distinguish_texts_and_match_nothing():
    # Passages (e3, e1) and (e3, e2) differ in a token that does not score: two texts of the same score.
    pairs = batch([[1], [1]], [[3, 1], [3, 2]])
    silent = dataclasses.replace(pairs.target, scored=torch.tensor([[True, False], [True, False]]))
    losses = InBatchContrastive(None, 1.0).losses(look_up, dataclasses.replace(pairs, target=silent)).value
    assert losses.tolist() == pytest.approx([math.log(2)] * 2, abs=1e-6)


def test_a_filler_alone_gives_no_loss():
    outcome = InBatchContrastive(None, 0.1)(look_up, batch([[1]], [[3]], weight=[0.0], global_pairs=2))
    assert outcome.loss.item() == 0


def test_questions_of_any_length_are_scaled_alike():
    short = InBatchContrastive(None, 0.1)(look_up, batch([[1, 0], [2, 0]], [[1], [3]]))
    doubled = InBatchContrastive(None, 0.1)(look_up, batch([[1, 1], [2, 2]], [[1], [3]]))
    torch.testing.assert_close(short.loss, doubled.loss)
