"""Tokenising and feeding through Ray Data gives what the library alone would."""

from itertools import islice

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from optical.cluster import connect
from optical.data.batches.batch import collate
from optical.data.batches.feed import RankShare, rank_batches
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import open_tokens
from optical.data.batches.tokenise import Side, tokenised_pairs
from optical.resources import Resources
from optical.train.config import TrainConfig
from tests.readers import FRAMES

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    connect(Resources())


def test_batches_come_as_scheduled_from_any_step_and_for_each_rank(tokens):
    schedule = Schedule(open_tokens(tokens), TrainConfig(epochs=2, batch_pairs=7), window_pairs=30)
    for rank, world_size, start in ((0, 1, 0), (1, 2, 5)):
        share = RankShare.of(schedule, rank, world_size)
        expected = [
            batch
            for stretch in schedule.stretches(start)
            for block in share.blocks(stretch)
            for batch in collate(block, FRAMES, ("toy",))
        ]
        given = list(rank_batches(schedule, start, rank, world_size))
        assert [batch.step for batch in given] == list(range(start, schedule.num_steps))
        assert [(batch.global_pairs, batch.dataset_names) for batch in given] == [
            (batch.global_pairs, batch.dataset_names) for batch in expected
        ]
        for one, other in zip(given, expected, strict=True):
            assert torch.equal(one.source.ids, other.source.ids)
            assert torch.equal(one.target.ids, other.target.ids)
            assert torch.equal(one.weight, other.weight)


def test_a_feed_may_be_left_at_any_step(tokens):
    schedule = Schedule(open_tokens(tokens), TrainConfig(epochs=50, batch_pairs=7), window_pairs=30)
    assert [batch.step for batch in islice(rank_batches(schedule, 3, 0, 1), 2)] == [3, 4]
    assert [batch.step for batch in islice(rank_batches(schedule, 4, 0, 1), 1)] == [4]


def test_tokens_keep_the_order_and_the_data_set(bitext, encoder_folder, tokenizer, tmp_path):
    sources, targets = zip(*bitext, strict=True)
    for number, part in enumerate((slice(0, 40), slice(40, 96))):
        table = pa.table({"dataset": [f"set{number}"] * len(sources[part]), "position": range(len(sources[part]))})
        table = table.append_column("source", [sources[part]]).append_column("target", [targets[part]])
        pq.write_table(table, tmp_path / f"pairs-{number}.parquet", row_group_size=9)
    shards = [str(tmp_path / f"pairs-{number}.parquet") for number in range(2)]
    made = pa.concat_tables(tokenised_pairs(shards, Side(encoder_folder), Side(encoder_folder)))
    assert made["dataset"].to_pylist() == ["set0"] * 40 + ["set1"] * 56
    assert made["source_ids"].to_pylist() == [tokenizer.encode(source).ids for source in sources]
    assert made["target_ids"].to_pylist() == [tokenizer.encode(target).ids for target in targets]
