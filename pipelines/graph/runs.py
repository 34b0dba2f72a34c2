"""The TREC runs, one for each system. Their fingerprint is the identity of the whole run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from optical.evaluation.runs import Run, read_run, write_run
from optical.tracking.progress import Progress
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.student import STUDENT, STUDENT_START
from pipelines.graph.teacher import TEACHER

if TYPE_CHECKING:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session


@dataclass(frozen=True)
class System:
    """An encoder, and the text of a topic that it encodes: ``query`` or ``english``."""

    name: str
    encoder: Node
    field: str


class SystemRuns(Node):
    """One ranking of the passages for every topic and system."""

    kind = "run"
    version = 2

    def made_from(self, workspace: Workspace) -> list[object]:
        """The student, what is searched, and every other field that decides a number of the report."""
        recipe, decisive = workspace.recipe, workspace.decisive
        fields = [recipe.name, recipe.teacher.query_length, decisive["index"], decisive["evaluation"]]
        return [STUDENT, EMBEDDINGS, CANDIDATES, *fields]

    def path(self, workspace: Workspace) -> Path:
        """Folder of the runs, in the run's own folder."""
        return workspace.run_dir / "runs"

    def file(self, workspace: Workspace, system: System) -> Path:
        """A system's TREC run."""
        return self.path(workspace) / f"{system.name}.trec"

    def read(self, workspace: Workspace) -> dict[str, Run]:
        """The runs of all systems by name."""
        return {system.name: read_run(self.file(workspace, system)) for system in systems(workspace)}

    def missing(self, workspace: Workspace) -> list:
        """Systems without a run."""
        return [system for system in systems(workspace) if not self.file(workspace, system).exists()]

    def make(self, session: Session, missing: list) -> None:
        """Search the passages with every missing system."""
        workspace = session.workspace
        topics = pq.read_table(workspace.path(COLLECTION) / "topics.parquet")
        for system in missing:
            with session.work("search"):
                run = _search(workspace, system, topics)
                write_run(self.file(workspace, system), run, f"optical-{system.name}")


RUNS = SystemRuns()


def systems(workspace: Workspace) -> list[System]:
    """The systems a run compares: the teacher on the query, the student on it, the teacher on its translation.

    A student with an extended vocabulary is also measured before its first step, as ``student_start``. There is no
    ceiling if a topic has no English translation.
    """
    topics = workspace.path(COLLECTION) / "topics.parquet"
    english = pq.read_table(topics, columns=["english"])["english"].to_pylist()
    start = [System("student_start", STUDENT_START, "query")] if workspace.recipe.student.vocabulary else []
    return [
        System("zero_shot", TEACHER, "query"),
        *start,
        System("student", STUDENT, "query"),
        *([System("english_ceiling", TEACHER, "english")] if all(english) else []),
    ]


def _search(workspace: Workspace, system: System, topics: pa.Table) -> Run:
    import torch

    from optical.index.candidates import open_candidates
    from optical.index.embeddings import open_embeddings
    from optical.index.search import search
    from optical.model.encoder import Encoder

    recipe = workspace.recipe
    torch.set_num_threads(workspace.settings.resources.threads or torch.get_num_threads())
    encoder = Encoder.load(workspace.path(system.encoder)).eval()
    queries = [encoder.encode([text], recipe.teacher.query_length)[0] for text in topics[system.field].to_pylist()]
    passages = open_embeddings(*_origin(workspace, EMBEDDINGS), verify=False)
    proposed = workspace.has(CANDIDATES)
    candidates = open_candidates(*_origin(workspace, CANDIDATES), verify=False) if proposed else None
    with Progress(f"search {system.name}", len(queries), "queries") as progress:
        return search(passages, topics["qid"].to_pylist(), queries, recipe.index, candidates, progress.advance)


def _origin(workspace: Workspace, node: Node) -> tuple[Path, str]:
    return workspace.path(node), workspace.fingerprint_of(node)
