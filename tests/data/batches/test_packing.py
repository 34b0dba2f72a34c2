"""Packing: no batch over its budgets, lengths alike, exact shares of monolingual pairs."""

import dataclasses
import os
from dataclasses import replace

import numpy as np
import pytest

from optical.data.batches.config import MixtureConfig
from optical.data.batches.schedule import Packing, count_batches, pack
from optical.data.batches.token_shards import Lengths
from optical.errors import UserError
from optical.model.text.frame import Frames
from optical.train.config import TrainConfig
from tests.readers import FRAME, FRAMES

CONFIG = TrainConfig(batch_pairs=4, batch_tokens=60, source_length=12, target_length=10)


def lengths(seed: int, num_pairs: int = 300) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    return tuple(draw.integers(3, 20, num_pairs).astype(np.uint16) for _ in range(2))


def packed(source, target, config=CONFIG, ordered=False) -> Packing:
    return pack(widths(source, target, config), config, np.random.default_rng(0), ordered)


def widths(source, target, config) -> Lengths:
    return Lengths(source, target, target).widths(FRAMES, config.source_length, config.target_length)


def batches(packing: Packing) -> list[np.ndarray]:
    return np.split(packing.rows, packing.ends[:-1])


@pytest.mark.parametrize("mono_share", [0.0, 0.3])
def test_no_batch_exceeds_a_budget(mono_share):
    for _ in range(20):
        seed = int.from_bytes(os.urandom(4))
        draw = np.random.default_rng(seed)
        sides = {name: int(draw.integers(4, 40)) for name in ("source_length", "target_length")}
        budget = {
            "batch_pairs": int(draw.integers(1, 30)),
            "batch_tokens": sum(sides.values()) + int(draw.integers(900)),
        }
        config = TrainConfig(**sides, **budget, mixture=MixtureConfig(mono_share=mono_share))
        source, target = lengths(seed)
        packing = packed(source, target, config)
        wide, high = np.minimum(source, config.source_length), np.minimum(target, config.target_length)
        assert sorted(packing.rows) == list(range(300)), seed
        assert count_batches(widths(source, target, config), config) == len(packing.ends), seed
        for batch, mono in zip(batches(packing), np.split(packing.mono, packing.ends[:-1]), strict=True):
            read = np.where(mono, np.minimum(high[batch], config.source_length), wide[batch]).astype(int)
            assert 0 < len(batch) <= config.batch_pairs, seed
            assert len(batch) * (read.max() + int(high[batch].max())) <= config.batch_tokens, seed


def test_both_budgets_are_met():
    source, target = lengths(0)
    wide, high = np.minimum(source, 12).astype(int), np.minimum(target, 10).astype(int)
    sizes = [len(batch) for batch in batches(packed(source, target))]
    areas = [len(batch) * (wide[batch].max() + high[batch].max()) for batch in batches(packed(source, target))]
    assert max(sizes) == CONFIG.batch_pairs
    assert min(sizes) < CONFIG.batch_pairs
    assert CONFIG.batch_tokens * 0.8 < max(areas)


def test_lengths_of_sixteen_bits_do_not_overflow():
    side = np.full(3, 40_000, np.uint16)
    config = TrainConfig(batch_tokens=200_000, source_length=100_000, target_length=100_000)
    assert packed(side, side, config).sizes.tolist() in ([2, 1], [1, 2])


def test_a_budget_smaller_than_one_pair_is_refused():
    with pytest.raises(UserError, match=r"train\.batch_tokens"):
        dataclasses.replace(CONFIG, batch_tokens=CONFIG.source_length + CONFIG.target_length - 1)


def test_a_query_that_is_filled_up_beyond_the_budget_is_refused():
    wide = Frames(replace(FRAME, expand_to=51), FRAME)
    few = np.full(3, 9, np.uint16)
    widths = Lengths(few, few, few).widths(wide, CONFIG.source_length, CONFIG.target_length)
    assert len(pack(widths, CONFIG, np.random.default_rng(0), False).ends) == 3
    wider = Lengths(few, few, few).widths(Frames(replace(FRAME, expand_to=52), FRAME), 12, 10)
    with pytest.raises(UserError, match=r"^train.batch_tokens: is 60, and a pair takes 61 tokens"):
        count_batches(wider, CONFIG)


def test_batches_of_alike_lengths_follow_in_no_order_of_length():
    source, target = lengths(0, 2000)
    total = np.minimum(source, 12) + np.minimum(target, 10)
    parts = batches(packed(source, target))
    assert np.mean([np.ptp(total[batch]) for batch in parts]) < np.ptp(total) / 10
    means = np.array([total[batch].mean() for batch in parts])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3


def test_a_curriculum_goes_from_short_to_long():
    source, target = lengths(0)
    total = np.minimum(source, 12) + np.minimum(target, 10)
    assert np.all(np.diff(total[packed(source, target, ordered=True).rows].astype(int)) >= 0)


@pytest.mark.parametrize("share", [0.0, 0.143, 0.4, 1.0])
def test_monolingual_pairs_have_their_share_of_every_batch(share):
    config = dataclasses.replace(CONFIG, mixture=MixtureConfig(mono_share=share))
    packing = packed(*lengths(1), config)
    assert packing.mono.sum() == round(share * 300)
    for mono in np.split(packing.mono, packing.ends[:-1]):
        assert abs(mono.sum() - share * len(mono)) <= 1


@pytest.mark.parametrize("world_size", [1, 2, 3, 7])
def test_ranks_share_a_batch_without_overlap(world_size):
    packing = packed(*lengths(0))
    for batch, size in enumerate(packing.sizes):
        shares = [packing.share(batch, rank, world_size) for rank in range(world_size)]
        start = packing.ends[batch] - size
        assert sorted(np.concatenate(shares[:size])) == list(range(start, packing.ends[batch]))
        assert all(share.tolist() == [start] for share in shares[size:])
