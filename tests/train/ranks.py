"""Ranks without Ray: in this process, or as processes of their own that can be killed."""

import math
import multiprocessing
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from multiprocessing.process import BaseProcess
from pathlib import Path

import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.nn.parallel import DistributedDataParallel

from optical import artefacts
from optical.data.batches.batch import PairBatch, collate
from optical.data.batches.feed import RankShare
from optical.tracking.journal import read_journal, rows
from optical.train import checkpoint, failure
from optical.train.job import TrainJob
from optical.train.loop import Hook, Worker, no_hook


def batches(worker: Worker, world_size: int = 1) -> Callable[[int], Iterator[PairBatch]]:
    """A rank's batches, gathered here and now."""

    def source(start: int) -> Iterator[PairBatch]:
        share = RankShare.of(worker.schedule, worker.rank, world_size)
        for stretch in worker.schedule.stretches(start):
            for block in share.blocks(stretch):
                yield from collate(block, share.tokens.frames, share.tokens.dataset_names)

    return source


def train(job: TrainJob, hook: Hook = no_hook) -> list[dict[str, float]]:
    """Train on one rank, in this process; returns what was reported."""
    worker, reports = Worker(job, hook=hook), []
    worker.run(batches(worker), reports.append)
    return reports


def start(
    job: TrainJob,
    world_size: int,
    hook: Hook = no_hook,
    timeout: float = 60,
    poisoned: int | None = None,
    blind: int | None = None,
) -> list[BaseProcess]:
    """Start one process for each rank.

    The third loss of the rank ``poisoned`` is not a number; the rank ``blind`` sees no checkpoint.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    rendezvous = job.folder / "rendezvous"
    rendezvous.unlink(missing_ok=True)
    # Forked from a process that has imported everything and done nothing yet: quick, and no thread is lost.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    processes = [
        context.Process(
            target=_rank,
            args=(job, rank, world_size, rendezvous, hook, timeout, rank == poisoned, rank == blind),
            daemon=True,
        )
        for rank in range(world_size)
    ]
    for process in processes:
        process.start()
    return processes


def finish(processes: list[BaseProcess], seconds: float = 120) -> list[int | None]:
    """Wait for processes to end; their exit codes."""
    for process in processes:
        process.join(seconds)
    return [process.exitcode for process in processes]


def _rank(
    job: TrainJob,
    rank: int,
    world_size: int,
    rendezvous: Path,
    hook: Hook,
    timeout: float,
    poisoned: bool,
    blind: bool,
) -> None:
    torch.set_num_threads(1)
    if world_size > 1:
        limit = timedelta(seconds=timeout)
        dist.init_process_group("gloo", f"file://{rendezvous}", limit, world_size, rank)
    worker = Worker(job, rank, wrap=DistributedDataParallel if world_size > 1 else lambda encoder: encoder, hook=hook)
    if blind:
        checkpoint.restore = lambda *arguments: 0
    if poisoned:
        worker.objective = _poisoned(worker.objective)
    try:
        worker.run(batches(worker, world_size))
    except Exception as error:
        failure.report(job.folder, rank, worker.step, error)
        raise


def _poisoned(objective: Callable) -> Callable:
    def poisoned(encoder: Callable, batch: PairBatch) -> object:
        outcome = objective(encoder, batch)
        return replace(outcome, loss=outcome.loss * math.nan) if batch.step == 2 else outcome

    return poisoned


def weights(job: TrainJob) -> dict[str, torch.Tensor]:
    """Every weight of a job's result."""
    folder = artefacts.read(job.result, "encoder", job.fingerprint).path
    return {
        f"{file.parent.name}/{name}": value
        for file in sorted(Path(folder).rglob("*.safetensors"))
        for name, value in load_file(file).items()
    }


def equal(one: TrainJob, other: TrainJob) -> bool:
    """Whether two jobs ended in the same bits."""
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def distance(one: TrainJob, other: TrainJob) -> float:
    """Largest difference between any two weights of two jobs."""
    first, second = weights(one), weights(other)
    return max((first[name] - second[name]).abs().max().item() for name in first)


def losses(job: TrainJob) -> list[float]:
    """The loss of every step, as the journal has it in the end."""
    return [row["loss"] for row in rows(job.journal) if row["event"] == "step"]


def starts(job: TrainJob) -> list[int]:
    """The step that each attempt went on from."""
    return [row["step"] for row in read_journal(job.journal) if row["event"] == "start"]
