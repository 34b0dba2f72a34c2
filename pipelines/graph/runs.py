"""The TREC runs, one for each system. Their fingerprint is the identity of the whole run."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optical.evaluation.protocols.base import System
from optical.evaluation.runs import Run, read_run, write_run
from optical.tracking.progress import Progress
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.student import STUDENT, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Context, Workspace

_ENCODERS = {"teacher": TEACHER, "start": STUDENT_START, "student": STUDENT}


def systems(workspace: Workspace) -> tuple[System, ...]:
    """The systems of the protocol that this run can measure.

    The encoder ``start`` differs from the teacher only if a vocabulary was added, and a topic may lack its English.
    """
    topics = workspace.path(COLLECTION) / "topics.parquet"
    english = pq.read_table(topics, columns=["english"])["english"].to_pylist()
    encoders = _ENCODERS.keys() - (set() if workspace.recipe.student.vocabulary else {"start"})
    return workspace.recipe.evaluation.possible(encoders, {"query", *(["english"] if all(english) else [])})


def run_file(workspace: Workspace, system: System) -> Path:
    """A system's TREC run."""
    return workspace.path(RUNS) / f"{system.name}.trec"


def read_runs(workspace: Workspace) -> dict[str, Run]:
    """The runs of all systems by name."""
    return {system.name: read_run(run_file(workspace, system)) for system in systems(workspace)}


def _make(session: Context, path: Path, identity: str) -> None:
    """Search with every system that has no run yet."""
    workspace = session.workspace
    topics = pq.read_table(workspace.path(COLLECTION) / "topics.parquet")
    for system in systems(workspace):
        file = run_file(workspace, system)
        if not file.exists():
            with session.work("search"):
                write_run(file, _search(workspace, system, topics), f"optical-{system.name}")


def _search(workspace: Workspace, system: System, topics: pa.Table) -> Run:
    import torch

    from optical.index.embeddings import open_embeddings
    from optical.index.retriever import Retriever

    recipe, resources = workspace.recipe, workspace.settings.resources
    torch.set_num_threads(resources.threads or torch.get_num_threads())
    retriever = Retriever.open(
        workspace.path(_ENCODERS[system.encoder]),
        recipe.teacher.query_length,
        open_embeddings(workspace.path(EMBEDDINGS), workspace.fingerprint_of(EMBEDDINGS), verify=False),
        recipe.index,
        workspace.path(CANDIDATES) if workspace.has(CANDIDATES) else None,
        resources.use_gpu,
    )
    with Progress(f"search {system.name}", len(topics), "queries") as progress:
        return retriever.run(topics["qid"].to_pylist(), topics[system.field].to_pylist(), progress.advance)


RUNS = Node(
    kind="run",
    version=2,
    made_from=lambda workspace: [
        *(STUDENT, EMBEDDINGS, CANDIDATES),
        *(workspace.recipe.name, workspace.recipe.teacher.query_length),
        *(workspace.decisive["index"], workspace.decisive["evaluation"]),
    ],
    make=_make,
    folder=lambda workspace: workspace.run_dir / "runs",
    partial=True,
)
"""One ranking of the passages for every system, by everything that decides a number of the report."""
