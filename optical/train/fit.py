"""The training loop on a Ray Train worker group: N ranks, gloo or nccl, retried on failure."""

import json
import os
import signal
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import ray.train
import torch
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer, get_device, prepare_model

from optical import artefacts
from optical.config import Resources
from optical.data.stream import rank_batches
from optical.errors import DataError, InfrastructureError, NumericalError, OpticalError, UserError
from optical.model.encoder import Encoder
from optical.train.job import TrainJob
from optical.train.worker import Worker

_ERRORS = {kind.__name__: kind for kind in (DataError, InfrastructureError, NumericalError, UserError)}


def fit(job: TrainJob, resources: Resources, callbacks: list | None = None) -> Path:
    """Train ``job`` to its end and return the encoder folder; rerunning continues where it stopped.

    Ray Train restarts the worker group after a crash, and the new group resumes from the newest verified
    checkpoint. A deterministic failure (bad data, a non-finite loss) is reported once, not retried.

    Raises:
        OpticalError: whatever the workers reported as deterministic.
        InfrastructureError: workers failed more than ``resources.max_failures`` times.
    """
    if artefacts.exists(job.result, "encoder", job.fingerprint):
        return job.result
    failure = job.folder / "failure.json"
    failure.unlink(missing_ok=True)
    trainer = TorchTrainer(
        _worker_main,
        train_loop_config={"job": job, "resources": resources},
        scaling_config=ScalingConfig(num_workers=resources.num_workers, use_gpu=resources.use_gpu),
        run_config=RunConfig(
            # Ray resumes silently when a name is reused; ours never is, because the checkpoints are ours.
            name=f"{job.stage}-{uuid.uuid4().hex[:8]}",
            storage_path=str((job.folder / "ray").absolute()),
            failure_config=FailureConfig(max_failures=resources.max_failures),
            callbacks=callbacks or [],
        ),
    )
    try:
        with _interruptible():
            trainer.fit()
    except ray.train.TrainingFailedError as error:
        _raise_reported(failure)
        cause = str(error).strip().splitlines()[-1]
        raise InfrastructureError(
            job.folder, f"training failed more than {resources.max_failures} times ({cause})", "rerun to resume"
        ) from error
    _raise_reported(failure)
    artefacts.read(job.result, "encoder", job.fingerprint)
    return job.result


def _raise_reported(failure: Path) -> None:
    if failure.exists():
        report = json.loads(failure.read_text())
        raise _ERRORS[report["kind"]](*report["args"])


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C as KeyboardInterrupt: Ray's own handler stops the workers and then exits the process without a word."""
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
    failure = job.folder / "failure.json"
    if failure.exists():
        return
    torch.set_num_threads(resources.threads or max(1, (os.cpu_count() or 1) // context.get_local_world_size()))
    try:
        worker = Worker(job, rank, get_device(), prepare_model if world_size > 1 else _bare)
        worker.run(
            lambda start: rank_batches(job.tokens, job.train, start, worker.schedule.num_steps, rank, world_size),
            ray.train.report,
        )
    except OpticalError as error:
        # Deterministic: a retry would fail alike, so the group ends here and the driver raises it. Other ranks wait in
        # a collective for this one; only its death frees them, and the group's next attempt finds the report.
        report = {"kind": type(error).__name__, "args": list(error.parts)}
        artefacts.write_json(failure, report)
        if world_size > 1:
            raise


def _bare(encoder: Encoder) -> Encoder:
    return encoder
