"""The training loop of one rank. It knows no Ray: batches come in, checkpoints and a journal go out."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn

from optical import artefacts
from optical.data.batches import PairBatch, Schedule
from optical.data.collate import collate, ragged
from optical.data.tokens import read_tokens
from optical.model.encoder import Encoder
from optical.tracking.journal import Journal
from optical.train import checkpoint
from optical.train.dev import dev_measures
from optical.train.job import TrainJob
from optical.train.optimiser import build_optimiser, learning_rate
from optical.train.step import Update, update

BatchSource = Callable[[int], Iterator[PairBatch]]
"""Given the first step, this rank's batches from there to the end."""
Report = Callable[[dict[str, float]], None]
"""Receives the metrics of a dev step, on every rank."""


class Worker:
    """Trains one encoder, or one replica of it, from the newest checkpoint to the last step."""

    def __init__(
        self,
        job: TrainJob,
        rank: int = 0,
        device: torch.device | None = None,
        wrap: Callable[[nn.Module], nn.Module] = lambda encoder: encoder,
    ) -> None:
        self.job = job
        self.rank = rank
        self.device = device or torch.device("cpu")
        self.schedule = Schedule(read_tokens(job.tokens), job.train)
        self.encoder = Encoder.load(job.start).to(self.device)
        self.encoder.train()
        self.replica = wrap(self.encoder)
        self.objective = job.build_objective().to(self.device)
        self.optimiser = build_optimiser(self.encoder, job.train)
        self.journal = Journal(job.journal) if rank == 0 else None
        self._dev = self._dev_batch() if rank == 0 else None

    def run(self, batches: BatchSource, report: Report = lambda metrics: None) -> None:
        """Train to the end and write the result; starts at the newest verified checkpoint."""
        try:
            self._run(batches, report)
        finally:
            if self.journal:
                self.journal.close()

    def _run(self, batches: BatchSource, report: Report) -> None:
        done = checkpoint.restore(self.job.checkpoints, self.encoder, self.optimiser, self.job.fingerprint)
        self._note("start", stage=self.job.stage, step=done, steps=self.schedule.num_steps)
        fetched = time.perf_counter()
        for batch in batches(done) if done < self.schedule.num_steps else ():
            started = time.perf_counter()
            done += 1
            outcome = self._update(batch)
            finished = time.perf_counter()
            self._note_step(done, batch, outcome, finished - fetched, started - fetched)
            if done % self.job.train.dev_steps == 0 or done == self.schedule.num_steps:
                report(self._measure(done, outcome))
            if done % self.job.train.checkpoint_steps == 0 and done < self.schedule.num_steps:
                self._save(done)
            fetched = time.perf_counter()
        self._finish()

    def _update(self, batch: PairBatch) -> Update:
        rate = learning_rate(batch.step, self.schedule.num_steps, self.job.train)
        moved = batch.to(self.device)
        return update(self.replica, self.objective, self.optimiser, moved, rate, self.job.train.max_grad_norm)

    def _measure(self, done: int, outcome: Update) -> dict[str, float]:
        measures = {}
        if self.rank == 0:
            teacher = self.objective.teacher if self.job.stage == "student" else self.encoder
            measures = dev_measures(self.encoder, teacher, self._dev)
            self._note("dev", stage=self.job.stage, step=done, **measures)
        return {"step": done, "loss": outcome.loss, **measures}

    def _dev_batch(self) -> PairBatch:
        dev = read_tokens(self.job.tokens, "dev")
        return collate(ragged(dev, np.arange(len(dev)), self.job.train)).to(self.device)

    def _note_step(self, done: int, batch: PairBatch, outcome: Update, seconds: float, waited: float) -> None:
        self._note(
            "step",
            stage=self.job.stage,
            step=done,
            steps=self.schedule.num_steps,
            loss=outcome.loss,
            learning_rate=self.optimiser.param_groups[0]["lr"],
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

    def _save(self, done: int) -> None:
        if self.rank == 0:
            self.journal.sync()
            checkpoint.save(self.job.checkpoints, done, self.encoder, self.optimiser, self.job.fingerprint)
        _barrier()

    def _finish(self) -> None:
        if self.rank == 0:
            write_encoder(self.encoder, self.job.result, self.job.fingerprint)
            self._note("end", stage=self.job.stage, step=self.schedule.num_steps)
            self.journal.sync()
        _barrier()


def write_encoder(encoder: Encoder, folder: Path, fingerprint: str) -> None:
    """Commit an encoder as an artefact of kind ``encoder``."""
    with artefacts.writing(folder, "encoder", fingerprint, {"dim": encoder.dim}) as scratch:
        encoder.save(scratch)


def _barrier() -> None:
    if dist.is_initialized():
        dist.barrier()
