"""Shares and padding: any number of ranks sees the global batch, each pair once."""

import pyarrow as pa
import pytest
import torch

from optical.config import TrainConfig
from optical.data.batches import Schedule
from optical.data.collate import collate, ragged, rank_share
from optical.data.tokens import TokenPairs

CONFIG = TrainConfig(batch_pairs=5, source_length=4, target_length=6)


@pytest.fixture(scope="module")
def pairs():
    # Pair i is marked by its id 10 + i, so that it can be recognised in a batch.
    sources = [[2, 10 + i, *[9] * (i % 4), 3] for i in range(12)]
    targets = [[2, 10 + i, *[8] * (i % 3), 3] for i in range(12)]
    return TokenPairs(*(pa.array(column, pa.list_(pa.int32())) for column in (sources, targets)))


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_the_union_over_ranks_is_the_global_batch(pairs, world_size):
    schedule = Schedule(pairs, CONFIG)
    sizes = set()
    for step in range(schedule.num_steps):
        shares = [collate(rank_share(pairs, schedule, CONFIG, step, rank, world_size)) for rank in range(world_size)]
        whole = schedule.batch(step)
        seen = [int(row[1]) - 10 for share in shares for row in share.source_ids[share.weight > 0]]
        assert sorted(seen) == sorted(whole.tolist())
        assert {share.global_pairs for share in shares} == {len(whole)}
        assert {share.step for share in shares} == {step}
        assert sum(share.num_pairs for share in shares) == len(whole)
        sizes.add(len(whole))
    assert sizes == {5, 2}


def test_a_rank_without_a_pair_gets_a_filler_of_no_weight(pairs):
    schedule = Schedule(pairs, CONFIG)
    small = next(step for step in range(schedule.num_steps) if len(schedule.batch(step)) == 2)
    filler = collate(rank_share(pairs, schedule, CONFIG, small, 2, 3))
    assert filler.weight.tolist() == [0.0]
    assert filler.num_pairs == 0
    assert filler.global_pairs == 2
    assert filler.source_mask.any()


def test_both_sides_stay_aligned_and_are_cut_and_padded(pairs):
    batch = collate(ragged(pairs, [3, 4, 2], CONFIG, step=8))
    expected = torch.tensor([[2, 13, 9, 3], [2, 14, 3, 0], [2, 12, 9, 3]])
    torch.testing.assert_close(batch.source_ids, expected)
    torch.testing.assert_close(batch.source_mask, expected != 0)
    expected = torch.tensor([[2, 13, 3, 0, 0], [2, 14, 8, 3, 0], [2, 12, 8, 8, 3]])
    torch.testing.assert_close(batch.target_ids, expected)
    torch.testing.assert_close(batch.target_mask, expected != 0)
    assert (batch.step, batch.global_pairs, batch.num_pairs) == (8, 3, 3)
    assert batch.num_tokens == 11 + 12
    assert batch.weight.tolist() == [1.0, 1.0, 1.0]


def test_moving_a_batch_keeps_everything(pairs):
    batch = collate(ragged(pairs, [1, 2], CONFIG, step=3))
    moved = batch.to("cpu")
    assert (moved.step, moved.global_pairs) == (3, 2)
    torch.testing.assert_close(moved.source_ids, batch.source_ids)
    assert batch.to("meta").target_mask.device.type == "meta"
