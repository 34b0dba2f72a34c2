"""The schedule and its shares: the same global batches after a restart and on any number of ranks."""

import dataclasses
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from optical.data.batches.batch import collate
from optical.data.batches.config import MixtureConfig
from optical.data.batches.feed import RankShare
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import open_tokens
from optical.data.batches.tokenise import write_tokens
from optical.errors import DataError
from optical.train.config import TrainConfig
from tests.readers import FRAMES

CONFIG = TrainConfig(epochs=3, batch_pairs=5, batch_tokens=100, source_length=12, target_length=10, seed=5)
NUM_PAIRS = 230


@pytest.fixture(scope="module")
def tokens(tmp_path_factory, id_table):
    """Three windows of small row groups; pair i of 230 starts with the id 10 + i on both sides."""
    draw = np.random.default_rng(0)
    sides = [[[2, 10 + i, *[9] * size, 3] for i, size in enumerate(draw.integers(0, 17, NUM_PAIRS))] for _ in range(2)]
    pairs = list(zip(*sides, strict=True))
    folder = tmp_path_factory.mktemp("tokens") / "tokens"
    tables = [id_table(pairs[:180], "large"), id_table(pairs[180:], "small")]
    write_tokens(folder, "f" * 64, tables, FRAMES, NUM_PAIRS, 0, rows_per_group=16)
    return open_tokens(folder)


def share_of(one: Schedule, rank: int = 0, world_size: int = 1) -> RankShare:
    """A rank's share, in small blocks."""
    return RankShare.of(one, rank, world_size, pairs_per_block=20)


def schedule(tokens, **changes) -> Schedule:
    return Schedule(tokens, dataclasses.replace(CONFIG, **changes), window_pairs=80)


def batches(one: Schedule, start: int = 0, rank: int = 0, world_size: int = 1) -> list:
    blocks = (block for stretch in one.stretches(start) for block in share_of(one, rank, world_size).blocks(stretch))
    return [batch for block in blocks for batch in collate(block, one.tokens.frames, one.tokens.dataset_names)]


def pairs_of(batch) -> list[int]:
    """Which pairs count in a batch, by their marks; both sides agree."""
    marks = batch.target.ids[batch.weight > 0, 1] - 10
    assert torch.equal(marks, batch.source.ids[batch.weight > 0, 1] - 10)
    return marks.tolist()


def test_steps_follow_one_another_and_end_with_the_last_epoch(tokens):
    one = schedule(tokens)
    assert one.order.num_windows == 3
    assert [batch.step for batch in batches(one)] == list(range(one.num_steps))
    assert one.stretches(one.num_steps) == []


@pytest.mark.parametrize("most", [1, 7, 10_000])
@pytest.mark.parametrize("start", [0, 5])
def test_a_training_of_at_most_so_many_steps_is_the_beginning_of_the_whole_one(tokens, most, start):
    whole, short = schedule(tokens), schedule(tokens, max_steps=most)
    assert whole.num_steps > 20
    assert short.num_steps == min(most, whole.num_steps)
    seen = [(batch.step, pairs_of(batch)) for batch in batches(short, start)]
    assert seen == [(batch.step, pairs_of(batch)) for batch in batches(whole, start) if batch.step < most]


def test_every_pair_exactly_once_an_epoch_and_another_order_in_the_next(tokens):
    one = schedule(tokens)
    ends = [stretch.first_step for stretch in one.stretches(0) if stretch.window == 0][1:]
    everything = [pairs_of(batch) for batch in batches(one)]
    epochs = [sum(part, []) for part in np.split(np.array(everything, dtype=object), ends)]
    assert len(epochs) == 3
    assert [sorted(epoch) for epoch in epochs] == [list(range(NUM_PAIRS))] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_the_next_batches_are_equal_after_a_resume(tokens):
    """At any step, so also across the borders of blocks, windows and epochs, for every rank."""
    seed = int.from_bytes(os.urandom(4))
    one = schedule(tokens, seed=seed)
    for rank in range(2):
        straight = batches(one, 0, rank, 2)
        starts = range(0, one.num_steps, 7)
        for start in starts:
            resumed = batches(schedule(tokens, seed=seed), start, rank, 2)
            assert len(resumed) == one.num_steps - start, seed
            for before, after in zip(straight[start : start + 8], resumed[:8], strict=False):
                assert before.step == after.step, seed
                assert torch.equal(before.source.ids, after.source.ids), seed
                assert torch.equal(before.target.ids, after.target.ids), seed


@pytest.mark.parametrize("world_size", [2, 3, 4, 7])
def test_global_batches_are_the_same_on_any_number_of_ranks(tokens, world_size):
    one = schedule(tokens, epochs=1)
    ranks = [batches(one, 0, rank, world_size) for rank in range(world_size)]
    for whole, *shares in zip(batches(one), *ranks, strict=True):
        assert {share.step for share in shares} == {whole.step}
        assert {share.global_pairs for share in shares} == {len(pairs_of(whole))}
        assert sorted(sum((pairs_of(share) for share in shares), [])) == sorted(pairs_of(whole))
        assert sum(share.num_pairs for share in shares) == whole.num_pairs


def test_a_rank_without_a_pair_gets_a_filler_of_no_weight(tokens):
    filler = [batch for batch in batches(schedule(tokens, epochs=1), 0, 4, 5) if not batch.num_pairs]
    assert filler
    for batch in filler:
        assert batch.weight.tolist() == [0.0]
        assert 0 < batch.global_pairs < 5
        assert batch.source.mask.any()


def test_an_epoch_does_not_depend_on_how_many_follow(tokens):
    short, longer = (schedule(tokens, epochs=epochs) for epochs in (1, 4))
    assert [pairs_of(batch) for batch in batches(short)] == [
        pairs_of(batch) for batch in batches(longer)[: short.num_steps]
    ]


def test_quotas_are_exact_and_every_pair_knows_its_data_set(tokens):
    one = schedule(tokens, epochs=2, mixture=MixtureConfig(weights=(1.0, 3.0)))
    numbers = [number for batch in batches(one) for number in batch.dataset.tolist()]
    marks = [pair for batch in batches(one) for pair in pairs_of(batch)]
    assert numbers == [int(pair >= 180) for pair in marks]
    # A quarter of 230 is 57.5: of two equal remainders the first is rounded up.
    assert np.bincount(numbers).tolist() == [2 * 58, 2 * 172]
    assert batches(one)[0].dataset_names == ("large", "small")


def test_a_monolingual_pair_has_its_english_side_as_source(tokens):
    one = schedule(tokens, epochs=1, mixture=MixtureConfig(mono_share=0.5))
    english = 0
    for batch in batches(one):
        assert len(batch.source.ids) * (batch.source.ids.shape[1] + batch.target.ids.shape[1]) <= CONFIG.batch_tokens
        for source, target in zip(batch.source.mask.sum(1), batch.target.mask.sum(1), strict=True):
            english += int(source == target)
    straight = sum(
        int((b.source.mask.sum(1) == b.target.mask.sum(1)).sum()) for b in batches(schedule(tokens, epochs=1))
    )
    assert straight < NUM_PAIRS / 4
    assert english >= NUM_PAIRS / 2
    assert sum(batch.num_pairs for batch in batches(one)) == NUM_PAIRS


def test_only_the_first_epoch_of_a_curriculum_goes_from_short_to_long(tokens):
    one = schedule(tokens, epochs=2, mixture=MixtureConfig(curriculum=True))
    for stretch in one.stretches(0):
        lengths = [
            (batch.source.mask.sum() + batch.target.mask.sum()).item() / batch.num_pairs
            for block in share_of(one).blocks(stretch)
            for batch in collate(block, FRAMES)
        ]
        assert (sorted(lengths) == lengths) == (stretch.epoch == 0)


def test_lengths_that_are_not_those_of_the_shards_stop_the_run(tokens):
    one = schedule(tokens)
    stretch = dataclasses.replace(one.stretches(0)[0], num_batches=3)
    with pytest.raises(DataError, match="lengths.parquet and the shards disagree; delete the directory and rerun"):
        next(share_of(one).blocks(stretch))


def test_a_task_that_gathers_batches_imports_no_torch():
    script = "import sys, ray.data, optical.data.batches.feed; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0
