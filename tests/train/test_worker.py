"""The whole loop on one rank, without Ray: it learns, it survives an interruption, it writes everything down."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from optical import artefacts
from optical.config import ObjectiveConfig, TrainConfig
from optical.data.batches import PairBatch
from optical.data.collate import collate, ragged, rank_share
from optical.data.tokens import read_tokens
from optical.model.encoder import Encoder
from optical.tracking.journal import read_journal, rows
from optical.train.dev import dev_measures
from optical.train.job import TrainJob
from optical.train.worker import Worker, write_encoder

TRAIN = TrainConfig(
    epochs=8, batch_pairs=16, learning_rate=5e-3, checkpoint_steps=10, dev_steps=20, source_length=8, target_length=8
)
NUM_STEPS = 40


class Interrupted(Exception):
    """What a lost machine looks like from inside."""


def batches(worker: Worker, stop_before: int | None = None) -> Callable[[int], Iterator[PairBatch]]:
    def source(start: int) -> Iterator[PairBatch]:
        pairs = read_tokens(worker.job.tokens)
        for step in range(start, worker.schedule.num_steps):
            if step == stop_before:
                raise Interrupted
            yield collate(rank_share(pairs, worker.schedule, worker.job.train, step, 0, 1))

    return source


def train(job: TrainJob, stop_before: int | None = None) -> list[dict[str, float]]:
    worker, reports = Worker(job), []
    try:
        worker.run(batches(worker, stop_before), reports.append)
    finally:
        worker.journal.close()
    return reports


def untrained(job: TrainJob) -> float:
    """Dev MRR before the first step."""
    pairs = read_tokens(job.tokens, "dev")
    start, teacher = Encoder.load(job.start), Encoder.load(job.teacher)
    return dev_measures(start, teacher, collate(ragged(pairs, range(len(pairs)), job.train)))["dev_mrr"]


@pytest.fixture
def job(tokens, encoder, tiny, tmp_path) -> TrainJob:
    write_encoder(encoder, tmp_path / "start", "1" * 64)
    return TrainJob(
        stage="student",
        fingerprint="2" * 64,
        tokens=tokens,
        start=tmp_path / "start",
        teacher=tmp_path / "start",
        folder=tmp_path / "student",
        train=TRAIN,
        objective=ObjectiveConfig(),
    )


def weights(job: TrainJob) -> dict[str, torch.Tensor]:
    folder = artefacts.read(job.result, "encoder", job.fingerprint).path
    return {
        f"{file.parent.name}/{name}": value
        for file in sorted(Path(folder).rglob("*.safetensors"))
        for name, value in load_file(file).items()
    }


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_student_learns_and_the_journal_is_complete(job):
    reports = train(job)
    written = rows(job.journal)
    steps = [row for row in written if row["event"] == "step"]
    assert [row["step"] for row in steps] == list(range(1, NUM_STEPS + 1))
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    devs = [(row["step"], row["dev_mrr"]) for row in written if row["event"] == "dev"]
    assert [step for step, _ in devs] == [20, 40]
    assert [(report["step"], report["dev_mrr"]) for report in reports] == devs
    assert written[0] | {"time": 0} == {"event": "start", "time": 0, "stage": "student", "step": 0, "steps": NUM_STEPS}
    assert (written[-1]["event"], written[-1]["step"]) == ("end", NUM_STEPS)
    assert sum(row["pairs"] for row in steps) == 80 * TRAIN.epochs
    for row in steps:
        assert row["stage"] == "student"
        assert {"learning_rate", "grad_norm", "tokens", "seconds", "wait_seconds", "steps"} <= row.keys()
        assert {"marginal_error", "plan_entropy", "iterations", "unconverged"} <= row.keys()
    assert devs[-1][1] > untrained(job) + 0.2
    assert Encoder.load(job.result).dim == 16


@pytest.mark.parametrize("stop_before", [5, 10, 27])
def test_an_interrupted_run_ends_in_the_same_bits(job, stop_before):
    short = dataclasses.replace(job, train=dataclasses.replace(job.train, epochs=6))
    straight = dataclasses.replace(short, folder=job.folder.with_name("straight"))
    train(straight)
    with pytest.raises(Interrupted):
        train(short, stop_before)
    assert not short.result.exists()
    train(short)
    assert equal(weights(short), weights(straight))
    losses = [[row["loss"] for row in rows(one.journal) if row["event"] == "step"] for one in (short, straight)]
    assert losses[0] == losses[1]
    resumed_from = [row["step"] for row in read_journal(short.journal) if row["event"] == "start"]
    assert resumed_from == [0, stop_before // 10 * 10]


def test_another_seed_ends_elsewhere(job):
    short = dataclasses.replace(job, train=dataclasses.replace(job.train, epochs=1))
    other = dataclasses.replace(
        short, folder=job.folder.with_name("other"), train=dataclasses.replace(short.train, seed=1)
    )
    train(short)
    train(other)
    assert not equal(weights(short), weights(other))


def test_a_teacher_learns_from_pairs(job, tiny):
    teacher = dataclasses.replace(job, stage="teacher", teacher=None, objective=None, scratch=tiny)
    train(teacher)
    steps = [row for row in rows(teacher.journal) if row["event"] == "step"]
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    assert steps[-1]["in_batch_accuracy"] > steps[0]["in_batch_accuracy"]


def test_another_rank_writes_nothing(job):
    worker = Worker(job, rank=1)
    worker.run(batches(worker))
    assert worker.journal is None
    assert not job.folder.exists()
