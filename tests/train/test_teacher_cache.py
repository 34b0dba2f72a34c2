"""Training from a teacher cache: what the teacher would have said, and the losses that follow from it."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from optical.cluster import connect
from optical.data.batches.batch import PairBatch, collate
from optical.data.batches.feed import RankShare, rank_batches
from optical.data.batches.schedule import Schedule
from optical.data.batches.teacher_cache import Encoded, TeacherCache
from optical.data.batches.token_shards import open_tokens
from optical.errors import DataError
from optical.model.text.padding import pad
from optical.objectives.ot import Config as OTConfig
from optical.resources import Resources
from optical.tracking.journal import rows
from optical.train.config import TrainConfig
from optical.train.encode_targets import TargetEncoder, encoded_targets
from optical.train.job import TrainJob
from optical.train.loop import Worker, write_encoder
from tests.readers import FRAMES

LENGTH = 6
TRAIN = TrainConfig(epochs=2, batch_pairs=16, learning_rate=5e-3, dev_steps=100, target_length=LENGTH)


@pytest.fixture
def shard_sizes() -> dict[str, int]:
    return {"rows_per_group": 20, "rows_per_shard": 50}


def encode(teacher: Path, tokens: Path) -> Iterator[Encoded]:
    where = open_tokens(tokens)
    actor = TargetEncoder(teacher, where, LENGTH, 1, False)
    for table in actor(pa.table({"group": np.arange(len(where.shard))})):
        yield from table.to_pylist()


@pytest.fixture
def cache(tokens, encoder, encoder_folder, tmp_path) -> TeacherCache:
    made = TeacherCache(tmp_path / "cache", "c" * 64, LENGTH)
    made.write(open_tokens(tokens), [0, 1], encoder.dim, encode(encoder_folder, tokens))
    return made


@pytest.fixture
def job(tokens, encoder, tmp_path) -> TrainJob:
    write_encoder(encoder, tmp_path / "start", "1" * 64)
    return TrainJob(
        fingerprint="2" * 64,
        tokens=tokens,
        start=tmp_path / "start",
        teacher=tmp_path / "start",
        folder=tmp_path / "student",
        train=TRAIN,
        objective=OTConfig(),
    )


def batches(worker: Worker, start: int) -> Iterator[PairBatch]:
    share = RankShare.of(worker.schedule)
    for stretch in worker.schedule.stretches(start):
        for block in share.blocks(stretch):
            yield from collate(block, share.tokens.frames, share.tokens.dataset_names, worker.targets)


def losses(job: TrainJob) -> list[float]:
    worker = Worker(job)
    worker.run(lambda start: batches(worker, start))
    return [row["loss"] for row in rows(job.journal) if row["event"] == "step"]


def test_the_cache_holds_what_the_teacher_says_of_a_sentence_as_training_cuts_it(cache, tokens, encoder):
    where = open_tokens(tokens)
    positions = np.array([79, 0, 49, 50, 33])
    frame = where.frames.target
    batch = pad(frame.cut(where.take(positions).target_ids, LENGTH), frame)
    mask = batch.mask
    with torch.no_grad():
        said = encoder(batch.ids, batch.mask)
    held = cache.open(where).padded(positions)
    assert held.dtype == torch.float16
    torch.testing.assert_close(held[mask].float(), said[mask], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("marginals", ["uniform", "idf"])
def test_losses_are_the_same_within_float16_rounding(job, cache, marginals):
    job = dataclasses.replace(job, objective=OTConfig(marginals=marginals))
    cached = dataclasses.replace(job, teacher_cache=cache, folder=job.folder.with_name("cached"))
    without, with_cache = losses(job), losses(cached)
    assert len(with_cache) == len(without) == 10
    assert with_cache[0] == pytest.approx(without[0], rel=1e-4)
    assert with_cache == pytest.approx(without, rel=1e-3)
    start, *_ = rows(cached.journal)
    assert start["teacher_cache"] == cache.open(open_tokens(job.tokens)).facts
    assert "teacher_cache" not in rows(job.journal)[0]


def test_the_trainer_does_not_ask_the_teacher(job, cache, monkeypatch):
    worker = Worker(dataclasses.replace(job, teacher_cache=cache, train=dataclasses.replace(TRAIN, epochs=1)))
    monkeypatch.setattr("optical.train.loop.dev_measures", lambda *_: {"dev_mrr": 0.0, "dev_spearman": 0.0})
    monkeypatch.setattr(worker.objective.teacher, "forward", lambda *_: pytest.fail("the teacher was asked"))
    worker.run(lambda start: batches(worker, start))


def test_a_cache_of_another_teacher_stops_before_the_first_step(job, cache):
    other = dataclasses.replace(cache, fingerprint="d" * 64)
    with pytest.raises(DataError, match="made from cccccccccccc, not from dddddddddddd"):
        Worker(dataclasses.replace(job, teacher_cache=other))


@pytest.mark.gpu
def test_a_gpu_makes_the_cache_that_a_cpu_makes(tokens, encoder_folder):
    where = open_tokens(tokens)
    groups = pa.table({"group": np.arange(len(where.shard))})
    for cpu, gpu in zip(
        *(TargetEncoder(encoder_folder, where, LENGTH, 1, gpu)(groups) for gpu in (False, True)), strict=True
    ):
        one, other = (np.frombuffer(table["embeddings"][0].as_py(), np.float16) for table in (cpu, gpu))
        assert np.abs(one.astype(np.float32) - other.astype(np.float32)).max() < 1e-3


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
def test_ray_encodes_in_order_and_feeds_the_same_embeddings(cache, tokens, encoder_folder):
    connect(Resources())
    where = open_tokens(tokens)
    said = list(encoded_targets(where, [0, 1], encoder_folder, LENGTH, Resources(num_workers=2), 2))
    expected = list(encode(encoder_folder, tokens))
    assert [row["pairs"] for row in said] == [row["pairs"] for row in expected]
    for one, other in zip(said, expected, strict=True):
        assert np.allclose(*(np.frombuffer(row["embeddings"], np.float16) for row in (one, other)), atol=1e-3)
    schedule, targets = Schedule(where, TRAIN), cache.open(where)
    share = RankShare.of(schedule, 1, 2)
    blocks = (block for stretch in schedule.stretches(3) for block in share.blocks(stretch))
    expected = [batch for block in blocks for batch in collate(block, FRAMES, ("toy",), targets)]
    for one, other in zip(rank_batches(schedule, 3, 1, 2, targets), expected, strict=True):
        assert torch.equal(one.target_embeddings, other.target_embeddings)
