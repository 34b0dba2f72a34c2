"""The training loop of one rank, independent of Ray: it reads batches and writes checkpoints and a journal."""

import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn

from optical import artefacts
from optical.data.batches.batch import PairBatch, padded
from optical.data.batches.schedule import Schedule
from optical.data.batches.token_shards import open_tokens, read_split
from optical.errors import InfrastructureError, UserError
from optical.model.centring import freeze_centring
from optical.model.encoder import Encoder
from optical.model.precision import trained_on
from optical.model.storage import load_encoder, save_encoder
from optical.model.trained_rows import put_rows_back
from optical.tracking.journal import Journal, rows
from optical.train import checkpoint
from optical.train.dev import dev_measures
from optical.train.job import TrainJob
from optical.train.noise import noise_weighted
from optical.train.occurring import set_word_embeddings
from optical.train.optimiser import build_optimiser, learning_rate
from optical.train.step import Update, update

BatchSource = Callable[[int], Iterator[PairBatch]]
"""Returns this rank's batches from the given step to the end."""
Metrics = dict[str, int | float]
Report = Callable[[Metrics], None]
"""Receives the metrics of a dev step, on every rank."""
Hook = Callable[[int, int, str], None]
"""Called with (rank, step, place) at each place of the loop, for tests that inject faults: ``step`` before the update,
``before_save``, ``during_save`` between the files of a checkpoint, ``after_save``."""

_MAX_FAILED_SAVES = 3
log = logging.getLogger(__name__)


def no_hook(rank: int, step: int, place: str) -> None:
    """Does nothing."""


class Worker:
    """Trains one encoder, or one replica of it, from the newest checkpoint to the last step."""

    def __init__(
        self,
        job: TrainJob,
        rank: int = 0,
        device: torch.device | None = None,
        wrap: Callable[[Encoder], nn.Module] = lambda encoder: encoder,
        hook: Hook = no_hook,
    ) -> None:
        self.job = job
        self.rank = rank
        self.device = device or torch.device("cpu")
        tokens = open_tokens(job.tokens)
        self.schedule = Schedule(tokens, job.train)
        self.targets = job.teacher_cache.open(tokens) if job.teacher_cache else None
        self.encoder = load_encoder(job.start).to(self.device)
        self.encoder.train()
        freeze_centring(self.encoder)
        self._trained_rows = set_word_embeddings(self.encoder, job, tokens)
        self.replica = wrap(self.encoder)
        self.objective = job.build_objective().to(self.device)
        self.optimiser = build_optimiser(self.encoder, job.train)
        self.journal = Journal(job.journal) if rank == 0 else None
        self.step = 0
        """The current step, counted from 1."""
        self._hook = hook
        self._dev = self._dev_batch() if rank == 0 else None
        self._failed_saves = 0

    def run(self, batches: BatchSource, report: Report = lambda metrics: None) -> None:
        """Train from the newest verified checkpoint to the end and write the result."""
        try:
            self._run(batches, report)
        finally:
            if self.journal:
                self.journal.close()

    def _run(self, batches: BatchSource, report: Report) -> None:
        done = self._restore()
        if done == 0:
            self._note_dev(0)
        fetched = time.perf_counter()
        for batch in batches(done) if done < self.schedule.num_steps else ():
            started = time.perf_counter()
            done = self.step = batch.step + 1
            self._at("step")
            outcome = self._update(batch)
            finished = time.perf_counter()
            self._note_step(done, batch, outcome, finished - fetched, started - fetched)
            if done % self.job.train.dev_steps == 0 or done == self.schedule.num_steps:
                report(self._measure(done, outcome))
            if done % self.job.train.checkpoint_steps == 0 and done < self.schedule.num_steps:
                self._save(done)
            fetched = time.perf_counter()
        self._finish()

    def _restore(self) -> int:
        checkpoints, fingerprint = self.job.checkpoints, self.job.fingerprint
        done = self.step = checkpoint.restore(checkpoints, self.encoder, self.optimiser, fingerprint, self._warn)
        _check_agreement(checkpoints, done, self.device)
        if self.rank == 0:
            checkpoint.check_space(checkpoints, self.encoder)
        cached = {"teacher_cache": self.targets.facts} if self.targets else {}
        ranks = dist.get_world_size() if dist.is_initialized() else 1
        where = trained_on(self.device) | {"ranks": ranks, "threads": torch.get_num_threads()} | self._trained_rows
        self._note("start", stage=self.job.trains, step=done, steps=self.schedule.num_steps, **where, **cached)
        return done

    def _at(self, place: str) -> None:
        self._hook(self.rank, self.step, place)

    def _update(self, batch: PairBatch) -> Update:
        rate = learning_rate(batch.step, self.schedule.num_steps, self.job.train)
        moved, train = batch.to(self.device), self.job.train
        try:
            objective = noise_weighted(self.objective, train.noise_weighting)
            return update(self.replica, objective, self.optimiser, moved, rate, train.max_grad_norm, train.accumulate)
        except torch.OutOfMemoryError as error:
            what = f"{batch.num_pairs} pairs of step {self.step} do not fit into the memory of {self.device}"
            advice = f"set more than {train.accumulate} (students), or lower train.batch_tokens"
            raise UserError("train.accumulate", what, advice) from error

    def _measure(self, done: int, outcome: Update) -> Metrics:
        return {"step": done, "loss": outcome.loss, **self._note_dev(done)}

    def _note_dev(self, done: int) -> dict[str, float]:
        """The dev measures after so many steps; none on ranks other than the first."""
        if self._dev is None:
            return {}
        measures = dev_measures(self.encoder, self.objective.reference(self.encoder), self._dev)
        self._note("dev", stage=self.job.trains, step=done, **measures)
        return measures

    def _dev_batch(self) -> PairBatch:
        dev = read_split(self.job.tokens, "dev")
        return padded(dev.cut(self.job.train.source_length, self.job.train.target_length)).to(self.device)

    def _note_step(self, done: int, batch: PairBatch, outcome: Update, seconds: float, waited: float) -> None:
        self._note(
            "step",
            stage=self.job.trains,
            step=done,
            steps=self.schedule.num_steps,
            loss=outcome.loss,
            learning_rate=learning_rate(batch.step, self.schedule.num_steps, self.job.train),
            grad_norm=outcome.grad_norm,
            pairs=batch.global_pairs,
            tokens=outcome.tokens,
            seconds=seconds,
            wait_seconds=waited,
            **outcome.observed,
        )

    def _note(self, event: str, **fields: object) -> None:
        if self.journal:
            self.journal.write(event, **fields)

    def _warn(self, what: str) -> None:
        log.warning(what)
        self._note("warning", stage=self.job.trains, what=what)

    def _save(self, done: int) -> None:
        self._at("before_save")
        if self.journal:
            self._try_to_save(done, self.journal)
        _barrier()
        self._at("after_save")

    def _try_to_save(self, done: int, journal: Journal) -> None:
        """Save a checkpoint; a failure is only a warning, but the third failure in a row is raised."""
        folder, fingerprint = self.job.checkpoints, self.job.fingerprint
        try:
            with checkpoint.writing_to_disk(self.job.journal):
                journal.sync()
            checkpoint.save(folder, done, self.encoder, self.optimiser, fingerprint, lambda: self._at("during_save"))
            self._failed_saves = 0
        except InfrastructureError as error:
            self._failed_saves += 1
            if self._failed_saves == _MAX_FAILED_SAVES:
                raise
            self._warn(f"training continues without a checkpoint: {error}")

    def _finish(self) -> None:
        if self.journal:
            self._warn_of_harm()
            put_rows_back(self.encoder.backbone)
            write_encoder(self.encoder, self.job.result, self.job.fingerprint)
            self._note("end", stage=self.job.trains, step=self.schedule.num_steps)
            self.journal.sync()
        _barrier()

    def _warn_of_harm(self) -> None:
        """Say so if a student that imitates the teacher does it worse than before its first step."""
        devs = [row for row in rows(self.job.journal) if row["event"] == "dev"]
        found = {row["step"]: row["dev_spearman"] for row in devs if "dev_spearman" in row}
        before, after = found.get(0), found.get(self.schedule.num_steps)
        imitates = self.objective.teacher is not None and self.job.objective.judged_by_dev
        if imitates and before is not None and after is not None and not after >= before:
            self._warn(
                f"training has taken dev_spearman from {before:.3f} to {after:.3f}: the student ranks held-out "
                "sentences less like the teacher than its start did; give it more pairs, or lower train.learning_rate"
            )


def write_encoder(encoder: Encoder, folder: Path, fingerprint: str, facts: dict | None = None) -> None:
    """Commit an encoder as an artefact of kind ``encoder``; its info holds ``facts`` too."""
    info = {"dim": encoder.dim, **trained_on(next(encoder.parameters()).device), **(facts or {})}
    with checkpoint.writing_to_disk(folder), artefacts.writing(folder, "encoder", fingerprint, info) as scratch:
        save_encoder(encoder, scratch)


def _check_agreement(folder: Path, done: int, device: torch.device) -> None:
    """Refuse to continue if ranks resume from different steps."""
    if dist.is_initialized():
        most_and_least = torch.tensor([done, -done], device=device)
        dist.all_reduce(most_and_least, dist.ReduceOp.MAX)
        most, least = most_and_least[0].item(), -most_and_least[1].item()
        if most != least:
            what = f"some ranks resume from step {least} and others from step {most}"
            raise InfrastructureError(folder, what, "choose a --runs-dir that all workers share")


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()
