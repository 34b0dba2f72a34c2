"""Padding: both sides stay aligned, and a batch keeps what it is told."""

import numpy as np
import pyarrow as pa
import pytest
import torch

from optical.data.batches.batch import padded
from optical.data.batches.token_shards import TokenPairs
from optical.model.text.tokens import IDS
from tests.readers import FRAMES


@pytest.fixture
def pairs():
    sources, targets = (
        [[2, 13, 9, 9, 9, 3], [2, 14, 3], [2, 12, 9, 9, 3]],
        [[2, 13, 3], [2, 14, 8, 3], [2, 12, 8, 8, 3]],
    )
    both = pa.array(sources, IDS), pa.array(targets, IDS)
    return TokenPairs(np.array([0, 1, 0], np.int16), *both, mono_ids=both[1], frames=FRAMES)


def test_both_sides_stay_aligned_and_are_cut_and_padded(pairs):
    batch = padded(pairs.cut(4, 6), step=8)
    expected = torch.tensor([[2, 13, 9, 3], [2, 14, 3, 0], [2, 12, 9, 3]])
    torch.testing.assert_close(batch.source.ids, expected)
    torch.testing.assert_close(batch.source.mask, expected != 0)
    expected = torch.tensor([[2, 13, 3, 0, 0], [2, 14, 8, 3, 0], [2, 12, 8, 8, 3]])
    torch.testing.assert_close(batch.target.ids, expected)
    torch.testing.assert_close(batch.target.mask, expected != 0)
    assert (batch.step, batch.global_pairs, batch.num_pairs) == (8, 3, 3)
    assert batch.num_tokens == 11 + 12
    assert batch.weight.tolist() == [1.0, 1.0, 1.0]
    assert batch.dataset.tolist() == [0, 1, 0]


def test_moving_a_batch_keeps_everything(pairs):
    batch = padded(pairs, 3, 7, 0.0, ("a", "b"))
    moved = batch.to("cpu")
    assert (moved.step, moved.global_pairs, moved.dataset_names) == (3, 7, ("a", "b"))
    torch.testing.assert_close(moved.source.ids, batch.source.ids)
    meta = batch.to("meta")
    assert {meta.target.mask.device.type, meta.dataset.device.type, meta.weight.device.type} == {"meta"}
