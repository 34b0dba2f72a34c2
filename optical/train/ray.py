"""The training loop on a Ray Train worker group: N ranks with gloo or nccl, restarted after failures."""

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray.train
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer, get_device, prepare_model

from optical import artefacts
from optical.data.batches.feed import rank_batches
from optical.errors import InfrastructureError
from optical.model.encoder import Encoder
from optical.resources import Resources
from optical.train import failure
from optical.train.job import TrainJob
from optical.train.loop import Hook, Worker, no_hook


def fit(job: TrainJob, resources: Resources, callbacks: list | None = None, hook: Hook = no_hook) -> Path:
    """Train ``job`` to its end and return the encoder folder; a rerun continues where training stopped.

    Ray Train restarts the worker group after a crash, or with more or fewer workers when the cluster changes (see
    ``Resources.min_workers``), and the new group resumes from the newest verified checkpoint. A deterministic failure
    (bad data, a non-finite loss, the same error at the same step twice) is reported once, not retried.

    Args:
        job: what to train.
        resources: the number of workers and their limits.
        callbacks: of Ray Train.
        hook: called by every rank at each place of its loop (see ``loop.Hook``).

    Raises:
        OpticalError: a deterministic failure that a worker reported.
        InfrastructureError: workers failed more than ``resources.max_failures`` times.
    """
    if artefacts.exists(job.result, "encoder", job.fingerprint):
        return job.result
    failure.clear(job.folder)
    workers: Any = resources.num_workers
    if resources.fewest_workers < resources.num_workers:
        # Ray Train accepts a range for elastic runs, but its annotation does not.
        workers = (resources.fewest_workers, resources.num_workers)
    trainer = TorchTrainer(
        _worker_main,
        train_loop_config={"job": job, "resources": resources, "hook": hook},
        torch_config=TorchConfig(timeout_s=resources.rank_timeout),
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=resources.use_gpu),
        run_config=RunConfig(
            # Ray resumes silently if a name is reused; names are unique, because checkpoints are this project's.
            name=f"{job.trains}-{uuid.uuid4().hex[:8]}",
            storage_path=str((job.folder / "ray").absolute()),
            failure_config=FailureConfig(max_failures=resources.max_failures),
            callbacks=callbacks or [],
        ),
    )
    try:
        with _interruptible():
            trainer.fit()
    except ray.train.TrainingFailedError as error:
        failure.raise_reported(job.folder)
        cause = str(error).strip().splitlines()[-1]
        raise InfrastructureError(
            job.folder, f"training failed more than {resources.max_failures} times ({cause})", "rerun to resume"
        ) from error
    failure.raise_reported(job.folder)
    artefacts.read(job.result, "encoder", job.fingerprint)
    return job.result


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C: Ray's own handler stops the workers and exits the process silently."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        raise KeyboardInterrupt from stop
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


def _worker_main(config: dict) -> None:
    job, resources = config["job"], config["resources"]
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    if failure.is_reported(job.folder):
        return
    torch.set_num_threads(resources.threads or max(1, (os.cpu_count() or 1) // context.get_local_world_size()))
    worker = None
    try:
        worker = Worker(job, rank, get_device(), prepare_model if world_size > 1 else _unwrapped, config["hook"])
        worker.run(
            lambda start: rank_batches(worker.schedule, start, rank, world_size, worker.targets),
            ray.train.report,
        )
    except Exception as error:
        deterministic = failure.report(job.folder, rank, worker.step if worker else 0, error)
        # A single rank exits normally, and the driver raises the report. With several ranks, the others wait for this
        # one in a collective operation. Only an error stops them; the next attempt then finds the report.
        if world_size > 1 or not deterministic:
            raise


def _unwrapped(encoder: Encoder) -> Encoder:
    return encoder
