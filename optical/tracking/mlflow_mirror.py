"""The MLflow mirror copies the journal to MLflow. It never slows or stops a run.

This is the only file that imports mlflow, and it does so in its own thread. Callers put work into a bounded queue; one
daemon thread calls the store. After three failures in a row the mirror warns once and stays off.
"""

from __future__ import annotations

import logging
import math
import os
import queue
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from optical.tracking.journal import NON_FINITE

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    Work = Callable[[MlflowClient, str], None]
    """What to do with the client and the id of the MLflow run."""

logger = logging.getLogger(__name__)

LONGEST_PARAM = 500
_BREAKER = 3
_PARAMS_PER_BATCH = 100
_NOT_METRICS = ("step", "steps", "time")
_ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ALLOW_HTTP_REDIRECTS": "false",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}


def default_uri(runs_dir: Path) -> str:
    """MLFLOW_TRACKING_URI if it is set, else an sqlite file in the runs folder."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{Path(runs_dir).absolute()}/mlflow.db"


class MlflowMirror:
    """One MLflow run that mirrors one run of this project. Every method returns at once, and none raises.

    It is also a sink for a follower: called with a ``step`` row of a journal, it logs ``<stage>/<field>`` metrics.
    With an sqlite store, artifacts are in ``mlartifacts`` next to the database.

    Args:
        uri: tracking URI, see ``default_uri``.
        experiment: MLflow experiment, made if missing.
        run_name: the run's display name.
        parent_run_id: MLflow run to nest this one under.
        run_id_file: keeps the id of the MLflow run, so that a resumed run continues it.
        queue_size: most calls that wait; later ones are dropped, and counted in ``dropped``.
        make_client: builds the client from the URI; MlflowClient by default.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        run_name: str,
        parent_run_id: str | None = None,
        *,
        run_id_file: Path | None = None,
        queue_size: int = 1000,
        make_client: Callable[[str], MlflowClient] | None = None,
    ) -> None:
        self.run_id: str | None = None
        self.dropped = 0
        self._uri, self._experiment, self._run_name, self._parent = uri, experiment, run_name, parent_run_id
        self._run_id_file = run_id_file
        self._make_client = make_client or _mlflow_client
        self._queue: queue.Queue[Work | None] = queue.Queue(queue_size)
        self._known_params: set[str] = set()
        self._off = threading.Event()
        self._opened = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow-mirror", daemon=True)
        self._thread.start()

    @property
    def open_circuit(self) -> bool:
        """Whether the mirror has given up on its store."""
        return self._off.is_set()

    def __call__(self, row: dict) -> None:
        """Mirror one row of a journal; only ``step`` and ``dev`` rows have metrics."""
        if row.get("event") not in ("step", "dev"):
            return
        stage = row.get("stage")
        values = {k: v for k, v in row.items() if k not in _NOT_METRICS}
        values |= {k: float(word) for k, word in row.get(NON_FINITE, {}).items()}
        self.log_metrics({f"{stage}/{k}" if stage else k: v for k, v in values.items()}, row["step"])

    def log_params(self, params: Mapping[str, object]) -> None:
        """Log parameters as text of at most 500 characters, nested ones as ``a.b``; known ones stay as they are."""
        texts = {name: str(value)[:LONGEST_PARAM] for name, value in _flat(params).items()}
        self._put(lambda client, run_id: self._send_params(client, run_id, texts))

    def log_metrics(self, row: Mapping[str, object], step: int) -> None:
        """Log the numbers in ``row`` at ``step``; a non-finite number becomes a tag with its value and its step."""
        numbers = {k: float(v) for k, v in row.items() if isinstance(v, int | float) and not isinstance(v, bool)}
        finite = {name: value for name, value in numbers.items() if math.isfinite(value)}
        tags = {f"{NON_FINITE}.{k}": f"{v} at step {step}" for k, v in numbers.items() if k not in finite}
        now = int(time.time() * 1000)
        self._put(lambda client, run_id: _send(client, run_id, metrics=finite, at=(now, step), tags=tags))

    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Set tags on the run."""
        texts = {name: str(value) for name, value in tags.items()}
        self._put(lambda client, run_id: _send(client, run_id, tags=texts))

    def log_artifacts(self, folder: Path) -> None:
        """Copy a folder into the run's artifacts."""
        self._put(lambda client, run_id: client.log_artifacts(run_id, str(folder)))

    def wait_for_run(self, timeout: float = 10.0) -> str | None:
        """The MLflow run's id, waiting at most ``timeout`` seconds for it; None when there is none."""
        self._opened.wait(timeout)
        return self.run_id

    def finish(self, status: str = "FINISHED", timeout: float = 10.0) -> None:
        """End the run and let the queue drain for at most ``timeout`` seconds.

        Args:
            status: MLflow's word: FINISHED, FAILED or KILLED.
            timeout: seconds to wait in all.
        """
        if self._off.is_set():
            return
        deadline = time.monotonic() + timeout
        for work in (lambda client, run_id: client.set_terminated(run_id, status), None):
            try:
                self._queue.put(work, timeout=max(0.0, deadline - time.monotonic()))
            except queue.Full:
                self.dropped += 1
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if not self._off.is_set() and (self.dropped or self._thread.is_alive()):
            logger.warning(
                "mlflow mirror incomplete uri=%s dropped=%d; the journal is complete", self._uri, self.dropped
            )

    def _put(self, work: Work) -> None:
        if self._off.is_set():
            return
        try:
            self._queue.put_nowait(work)
        except queue.Full:
            self.dropped += 1

    def _work(self) -> None:
        opened: tuple[MlflowClient, str] | None = None
        failures = 0
        work = self._queue.get()
        while work is not None:
            try:
                opened = opened or self._open_run()
                work(*opened)
                failures = 0
            except Exception as error:  # noqa: BLE001 - the run goes on whatever the store raises
                failures += 1
                self.dropped += 1
                if failures >= _BREAKER and not self._off.is_set():
                    self._give_up(error)
            work = None if self._off.is_set() else self._queue.get()
        self._opened.set()

    def _give_up(self, error: Exception) -> None:
        self._off.set()
        logger.warning(
            "mlflow mirror off after %d failures uri=%s error=%s; the run goes on, the journal is complete",
            _BREAKER,
            self._uri,
            " ".join(str(error).split())[:300],
        )

    def _open_run(self) -> tuple[MlflowClient, str]:
        client = self._make_client(self._uri)
        run_id = self._continued_run(client) or self._new_run(client)
        self.run_id = run_id
        self._opened.set()
        return client, run_id

    def _new_run(self, client: MlflowClient) -> str:
        experiment_id = _experiment_id(client, self._experiment, self._uri)
        tags = {"mlflow.parentRunId": self._parent} if self._parent else {}
        run_id: str = client.create_run(experiment_id, run_name=self._run_name, tags=tags).info.run_id
        if self._run_id_file is not None:
            self._run_id_file.parent.mkdir(parents=True, exist_ok=True)
            self._run_id_file.write_text(run_id + "\n")
        return run_id

    def _continued_run(self, client: MlflowClient) -> str | None:
        if self._run_id_file is None or not self._run_id_file.exists():
            return None
        run_id = self._run_id_file.read_text().strip()
        try:
            run = client.get_run(run_id)
            client.update_run(run_id, status="RUNNING")
        except Exception as error:
            if getattr(error, "error_code", None) != "RESOURCE_DOES_NOT_EXIST":
                raise
            logger.warning("mlflow run not found, starting another run_id=%s uri=%s", run_id, self._uri)
            return None
        self._known_params = set(run.data.params)
        return run_id

    def _send_params(self, client: MlflowClient, run_id: str, texts: dict[str, str]) -> None:
        fresh = [(name, text) for name, text in texts.items() if name not in self._known_params]
        for start in range(0, len(fresh), _PARAMS_PER_BATCH):
            _send(client, run_id, params=dict(fresh[start : start + _PARAMS_PER_BATCH]))
        self._known_params |= texts.keys()


def _send(
    client: MlflowClient,
    run_id: str,
    *,
    params: Mapping[str, str] | None = None,
    metrics: Mapping[str, float] | None = None,
    at: tuple[int, int] = (0, 0),
    tags: Mapping[str, str] | None = None,
) -> None:
    from mlflow.entities import Metric, Param, RunTag

    client.log_batch(
        run_id,
        metrics=[Metric(name, value, *at) for name, value in (metrics or {}).items()],
        params=[Param(name, text) for name, text in (params or {}).items()],
        tags=[RunTag(name, text) for name, text in (tags or {}).items()],
    )


def _flat(params: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in params.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _mlflow_client(uri: str) -> MlflowClient:
    for name, value in _ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow.tracking import MlflowClient

    # MLflow logs each step of creating a store, which would break the progress line.
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    return MlflowClient(tracking_uri=uri)


def _experiment_id(client: MlflowClient, name: str, uri: str) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return found.experiment_id
    location = None
    if uri.startswith("sqlite:///"):
        location = (Path(uri.removeprefix("sqlite:///")).absolute().parent / "mlartifacts" / name).as_uri()
    try:
        return client.create_experiment(name, artifact_location=location)
    except Exception:
        # Another trial may have created the experiment between the two calls.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found.experiment_id
