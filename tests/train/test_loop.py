"""The whole loop on one rank, without Ray: it learns, and it writes everything down."""

import dataclasses
import json

import pytest
import torch

from optical.data.batches.batch import padded
from optical.data.batches.token_shards import read_split
from optical.errors import UserError
from optical.model.storage import load_encoder
from optical.objectives import pooled
from optical.objectives.base import Losses
from optical.tracking.journal import rows
from optical.train.dev import dev_measures
from optical.train.job import TrainJob
from optical.train.loop import Worker
from tests.train.ranks import batches, equal, losses, train

NUM_STEPS = 40


@dataclasses.dataclass(frozen=True, kw_only=True)
class Away(pooled.Config):
    """Takes the student away from the teacher."""

    def build(self, teacher):
        objective = super().build(teacher)
        losses = objective.losses
        objective.losses = lambda encoder, batch: Losses(-losses(encoder, batch).value)
        return objective


class Contrary(Away):
    """The same, of which no agreement with the teacher is expected."""

    judged_by_dev = False


def untrained(job: TrainJob) -> float:
    """Dev MRR before the first step."""
    pairs = read_split(job.tokens, "dev").cut(job.train.source_length, job.train.target_length)
    start, teacher = load_encoder(job.start), load_encoder(job.teacher)
    return dev_measures(start, teacher, padded(pairs))["dev_mrr"]


def test_a_student_learns_and_the_journal_is_complete(new_job):
    job = new_job(epochs=8)
    reports = train(job)
    written = rows(job.journal)
    steps = [row for row in written if row["event"] == "step"]
    assert [row["step"] for row in steps] == list(range(1, NUM_STEPS + 1))
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    devs = [(row["step"], row["dev_mrr"]) for row in written if row["event"] == "dev"]
    assert [step for step, _ in devs] == [0, 20, 40]
    assert devs[0][1] == untrained(job)
    assert [(report["step"], report["dev_mrr"]) for report in reports] == devs[1:]
    where = {"device": "cpu", "precision": "float32", "ranks": 1, "threads": 1}
    start = {"event": "start", "time": 0, "stage": "student", "step": 0, "steps": NUM_STEPS}
    # Twelve words, and the five special tokens.
    rows_trained = {"word_rows": 152, "trained_word_rows": 17}
    assert written[0] | {"time": 0} == start | where | rows_trained
    assert (written[-1]["event"], written[-1]["step"]) == ("end", NUM_STEPS)
    assert sum(row["pairs"] for row in steps) == 80 * job.train.epochs
    for row in steps:
        assert row["stage"] == "student"
        assert {"learning_rate", "grad_norm", "tokens", "seconds", "wait_seconds", "steps"} <= row.keys()
        assert {"marginal_error", "plan_entropy", "iterations", "unconverged"} <= row.keys()
    assert devs[-1][1] > untrained(job) + 0.2
    assert load_encoder(job.result).dim == 16


@pytest.mark.parametrize(("objective", "warned"), [(Away(), True), (Contrary(), False)])
def test_a_student_that_is_worse_than_its_start_is_warned_of(new_job, objective, warned):
    job = dataclasses.replace(new_job(epochs=2), objective=objective)
    train(job)
    written = rows(job.journal)
    said = [row["what"] for row in written if row["event"] == "warning"]
    measured = [row["dev_spearman"] for row in written if row["event"] == "dev"]
    assert measured[-1] < measured[0]
    what = f"dev_spearman from {measured[0]:.3f} to {measured[-1]:.3f}"
    assert [what in line for line in said] == [True] * warned


def test_a_journal_of_an_older_version_stops_no_training(new_job):
    """Its dev rows lack the measure, so there is nothing to warn of; the student is written."""
    job = new_job(epochs=8)

    def interrupt(rank, step, place):
        if step == 25:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job, hook=interrupt)
    lines = [json.loads(line) for line in job.journal.read_text().splitlines()]
    job.journal.write_text(
        "".join(f"{json.dumps({k: v for k, v in row.items() if k != 'dev_spearman'})}\n" for row in lines)
    )
    train(job)
    assert load_encoder(job.result).dim == 16
    assert not [row for row in rows(job.journal) if row["event"] == "warning"]


def test_another_seed_ends_elsewhere(new_job):
    job, other = new_job(epochs=1), new_job("other", epochs=1, seed=1)
    train(job)
    train(other)
    assert not equal(job, other)


@pytest.mark.parametrize("accumulate", [3, 100])
def test_parts_of_a_batch_end_where_the_whole_does(new_job, accumulate):
    whole, parts = new_job(epochs=2), new_job("parts", epochs=2, accumulate=accumulate)
    train(whole)
    train(parts)
    assert losses(parts) == pytest.approx(losses(whole), rel=1e-4)
    tokens = [[row["tokens"] for row in rows(job.journal) if row["event"] == "step"] for job in (whole, parts)]
    assert tokens[0] == tokens[1]


def test_a_teacher_learns_from_pairs(new_job, tiny):
    teacher = dataclasses.replace(new_job(epochs=8), teacher=None, objective=tiny.objective)
    train(teacher)
    steps = [row for row in rows(teacher.journal) if row["event"] == "step"]
    assert steps[-1]["loss"] < steps[0]["loss"] / 2
    assert steps[-1]["in_batch_accuracy"] > steps[0]["in_batch_accuracy"]


def test_another_rank_writes_nothing(new_job):
    job = new_job(epochs=1)
    worker = Worker(job, rank=1)
    worker.run(batches(worker))
    assert worker.journal is None
    assert not job.folder.exists()


def test_too_little_memory_names_the_setting_that_helps(new_job):
    worker = Worker(new_job(epochs=1))

    def greedy(encoder, batch):
        raise torch.OutOfMemoryError

    worker.objective.losses = greedy
    with pytest.raises(UserError, match="^train.accumulate: 16 pairs of step 1 do not fit .* set more than 1"):
        worker.run(batches(worker))
