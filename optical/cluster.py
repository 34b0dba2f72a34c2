"""Connecting to Ray, pools of encoders on it, and errors of this project out of failures of Ray."""

import logging
import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

from optical.errors import InfrastructureError, OpticalError, UserError
from optical.resources import Resources

log = logging.getLogger(__name__)

PICKLED_BY_VALUE: list[ModuleType] = []
"""Modules that workers cannot import, such as a recipe file of the user: their classes travel with their objects."""

_PATIENCE_SECONDS = 3.0
_DRIVER_AND_DATA_CPUS = 2
_OBJECT_STORE_BYTES = 512 << 20


def connect(resources: Resources, object_store_bytes: int = _OBJECT_STORE_BYTES) -> None:
    """Join the cluster in ``RAY_ADDRESS`` (set by ``ray job submit``), or start a private local one.

    The local one listens on loopback, has no dashboard, and counts enough logical CPUs for the workers and the
    data tasks that feed them, so that a laptop with two cores can run two workers.

    Raises:
        InfrastructureError: the cluster does not answer, or a local one does not start.
        UserError: GPUs are asked for and this machine has too few (a remote cluster may still scale up).
    """
    import ray  # This takes half a second, and a refused command ends before it.

    if not ray.is_initialized():
        _start(resources, object_store_bytes)
    for module in PICKLED_BY_VALUE:
        ray.cloudpickle.register_pickle_by_value(module)
    if resources.use_gpu and "RAY_ADDRESS" not in os.environ:
        have = int(ray.cluster_resources().get("GPU", 0))
        if have < resources.fewest_workers:
            raise UserError(
                "--use-gpu",
                f"{resources.fewest_workers} workers ask for a GPU each, and this machine has {have}",
                "leave --use-gpu out to train on CPUs, or submit to a GPU cluster",
            )


def why_unreachable(address: str) -> str | None:
    """Why a cluster's address does not answer; None if it answers, or if it names no port to connect to."""
    place = urlsplit(address if "://" in address else f"//{address}")
    try:
        if place.port is not None:
            socket.create_connection((place.hostname, place.port), _PATIENCE_SECONDS).close()
    except (OSError, ValueError) as error:
        return str(error)
    return None


def _start(resources: Resources, object_store_bytes: int) -> None:
    import ray
    import ray.data

    address = os.environ.get("RAY_ADDRESS")
    if address and (reason := why_unreachable(address)):
        # Ray itself would try for minutes, and write a line each time.
        raise _unreachable(address, reason)
    # All users may read the token file that Ray writes; a private folder hides it from them.
    (Path.home() / ".ray").mkdir(mode=0o700, exist_ok=True)
    logging.getLogger(ray.data.__name__).setLevel(logging.CRITICAL)  # after the import, which sets a level too
    # Ray draws its own progress bars and prints its own tracebacks; ours replace both.
    os.environ.setdefault("RAY_TRAIN_ENABLE_PRINT_PATCH", "0")
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Warnings of the raylet, such as that many workers have started, would be printed among the results.
    ray._private.worker._worker_logs_enabled = False
    cpus = max(os.cpu_count() or 1, resources.num_workers) + _DRIVER_AND_DATA_CPUS
    # Without an address Ray would join whatever cluster it finds running on this machine.
    local: dict[str, Any] = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    local["object_store_memory"] = object_store_bytes
    try:
        with _native_output_logged():
            ray.init(logging_level=logging.ERROR, log_to_driver=False, **({} if address else local))
    except Exception as error:
        # A bare Exception is Ray's word for a node that is not up within 30 seconds.
        if not isinstance(error, ValueError | ConnectionError | RuntimeError) and type(error) is not Exception:
            raise
        raise _unreachable(address, " ".join(str(error).split())) from error


def _unreachable(address: str | None, reason: str) -> InfrastructureError:
    if address is None:
        advice = "see to the room in memory and on /tmp, and to what else is at work here, and repeat the command"
        return InfrastructureError("a local Ray", f"does not start ({reason})", advice)
    return InfrastructureError(address, f"Ray cannot be reached ({reason})", "unset RAY_ADDRESS to run on this machine")


@contextmanager
def _native_output_logged() -> Iterator[None]:
    """Log what native code writes to standard error directly, so that only ``--verbose`` shows it.

    Ray writes there that it has read its log level from the environment, before the level applies.
    """
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as output:
        os.dup2(output.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            output.seek(0)
            if text := output.read().decode(errors="replace").strip():
                log.info("Ray said while it started: %s", text)


@contextmanager
def raising_own_errors() -> Iterator[None]:
    """Raise the ``OpticalError`` that caused a Ray failure instead of Ray's error around it."""
    try:
        yield
    except Exception as error:
        cause = _find(error)
        if cause is None or cause is error:
            raise
        raise cause from None


def _find(error: BaseException | None) -> OpticalError | None:
    # Ray's wrapper is a subclass of the wrapped error, so only the module of its type shows which one it is.
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OpticalError) and type(error).__module__ == OpticalError.__module__:
            return error
        seen.add(id(error))
        error = getattr(error, "cause", None) or error.__cause__ or error.__context__
    return None


def encoder_pool(resources: Resources, cores: int) -> tuple[dict, dict]:
    """A pool of Ray Data actors that hold an encoder, one for each of ``num_workers``.

    Args:
        resources: workers, threads, GPU or not.
        cores: physical cores of a worker machine, shared between its actors.

    Returns:
        Arguments of the actor (``threads``, ``use_gpu``), and the options of ``map_batches``.
    """
    from ray.data import ActorPoolStrategy

    arguments = {"threads": resources.threads or max(1, cores // resources.num_workers), "use_gpu": resources.use_gpu}
    pool = ActorPoolStrategy(size=resources.num_workers)
    options = {"compute": pool, "num_cpus": 1, "num_gpus": 1 if resources.use_gpu else 0}
    return arguments, options
