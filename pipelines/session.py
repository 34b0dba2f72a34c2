"""A session: one command that works on one run folder. It owns the folder, keeps time, and mirrors to MLflow."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Self

import optical
from optical.artefacts import write_json
from optical.cluster import connect, raising_own_errors
from optical.errors import DataError, UserError
from optical.tracking.follower import Follower
from optical.tracking.mlflow_mirror import MlflowMirror, default_uri
from optical.tracking.progress import ProgressLine
from pipelines.checks.faults import check_recipe
from pipelines.circumstances import note_work
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.student import STUDENT_WEIGHTS
from pipelines.graph.teacher import PRETRAINED, TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.run_file import RUN_FILE, claim_run_file


class Session:
    """Claims the run folder on entry and releases it on exit.

    Raises:
        UserError: the recipe would fail later; the folder cannot be written, belongs to another recipe or to another
            version of a maker, or another process works in it.
    """

    def __init__(self, workspace: Workspace) -> None:
        # This comes before the fingerprint, which may fetch data.
        check_recipe(workspace)
        self.workspace = workspace
        self.run_dir = workspace.run_dir
        self._mirroring = False
        self._done: set[Node] = set()
        self.resumed = (self.run_dir / RUN_FILE).exists()

    def __enter__(self) -> Self:
        try:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            self._lock = (self.run_dir / "owner.lock").open("a+")
        except OSError as error:
            what = f"the folder of this run cannot be made or written ({(error.strerror or str(error)).lower()})"
            raise UserError(
                self.run_dir, what, "give another --runs-dir, or check its permissions and the free space"
            ) from error
        try:
            self._claim()
        except BaseException:
            self._lock.close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: object) -> None:
        if self._mirroring:
            self.mirror.finish("FINISHED" if error is None else "KILLED" if kind is KeyboardInterrupt else "FAILED")
        self._lock.close()

    @cached_property
    def mirror(self) -> MlflowMirror:
        """The MLflow run of this run; it is made on first use."""
        self._mirroring = True
        workspace, run_dir = self.workspace, self.run_dir
        recipe, uri = workspace.recipe, default_uri(workspace.settings.runs_dir)
        mirror = MlflowMirror(uri, recipe.name, run_dir.name, run_id_file=run_dir / "mlflow_run_id")
        mirror.log_params(recipe.as_dict())
        origin = {node.kind: workspace.fingerprint_of(node) for node in (BITEXT, COLLECTION, TEACHER)}
        mirror.set_tags({"fingerprint": workspace.fingerprint, **origin, "version": optical.__version__})
        return mirror

    def connect(self) -> None:
        """Join or start Ray."""
        connect(self.workspace.settings.resources)

    def make(self, *wanted: Node) -> None:
        """Walk the graph: make the wanted artefacts and all before them, in order, as far as they are missing.

        Every artefact is verified once in a session.
        """
        for node in self.workspace.order(*wanted):
            if node not in self._done:
                node.ensure(self)
                self._done.add(node)

    @contextmanager
    def work(self, verb: str) -> Iterator[None]:
        """Do a verb's real work: on Ray, with its time recorded, and with this project's own errors raised."""
        self.connect()
        started = time.perf_counter()
        try:
            with raising_own_errors():
                yield
        finally:
            seconds = time.perf_counter() - started
            self._keep_time(verb, seconds)
            note_work(self.run_dir, verb, seconds, self.workspace.settings.resources)

    def follow(self, journal: Path) -> Follower:
        """Show a training journal as progress and mirror it, while it is written."""
        return Follower(journal, [ProgressLine(), self.mirror])

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds of real work by verb, over all sessions of this run.

        Raises:
            DataError: the file is damaged.
        """
        path = self.run_dir / "seconds.json"
        try:
            return json.loads(path.read_text()) if path.exists() else {}
        except ValueError as error:
            raise DataError(path, f"is no JSON ({error})", "delete it: it holds the times of the work alone") from None

    def _keep_time(self, verb: str, seconds: float) -> None:
        total = self.seconds
        total[verb] = round(total.get(verb, 0.0) + seconds, 2)
        write_json(self.run_dir / "seconds.json", total)

    def _claim(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "another process"
            raise UserError(self.run_dir, f"{owner} is at work in this run", "wait for it, or stop it") from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()
        weights = [] if self.workspace.recipe.teacher.scratch else [PRETRAINED]
        claim_run_file(self.workspace, (COLLECTION, BITEXT, QUESTIONS, STUDENT_WEIGHTS, *weights))
