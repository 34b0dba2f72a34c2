"""The TREC runs, one for each system. Their fingerprint is the identity of the whole run."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from optical.evaluation.pretrained import file_name, parse_pretrained
from optical.evaluation.protocols.base import System
from optical.evaluation.runs import Run, read_run, write_run
from optical.index.kinds import exact
from optical.recipe import Recipe
from optical.tracking.progress import Progress
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.pretrained import embeddings_node, encoder_node, pretrained_embeddings
from pipelines.graph.student import STUDENT, STUDENT_BRIDGE, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Context, Workspace

if TYPE_CHECKING:
    from optical.index.retriever import Retriever

_ENCODERS = {"teacher": TEACHER, "start": STUDENT_START, "bridge": STUDENT_BRIDGE, "student": STUDENT}


def systems(workspace: Workspace) -> tuple[System, ...]:
    """The systems of the protocol that this run can measure, and those of the pretrained encoders.

    The encoder ``start`` need not differ from the teacher, nor ``bridge`` from it, and a topic may lack its English.
    """
    topics = workspace.path(COLLECTION) / "topics.parquet"
    english = pq.read_table(topics, columns=["english"])["english"].to_pylist()
    fields = {"query", *(["english"] if all(english) else [])}
    return workspace.recipe.evaluation.possible(encoders(workspace.recipe), fields)


def encoders(recipe: Recipe) -> set[str]:
    """The encoders of a recipe that systems can name, besides the pretrained ones."""
    there = {"start": recipe.student.is_changed, "bridge": recipe.student.bridge is not None}
    return {name for name in _ENCODERS if there.get(name, True)}


def run_file(workspace: Workspace, system: System) -> Path:
    """A system's TREC run."""
    return workspace.path(RUNS) / f"{file_name(system.name)}.trec"


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
                write_run(file, _search(workspace, system, topics), f"optical-{file_name(system.name)}")


def _search(workspace: Workspace, system: System, topics: pa.Table) -> Run:
    import torch

    resources = workspace.settings.resources
    torch.set_num_threads(resources.threads or torch.get_num_threads())
    retriever = _retriever(workspace, system)
    with Progress(f"search {system.name}", len(topics), "queries") as progress:
        return retriever.run(topics["qid"].to_pylist(), topics[system.field].to_pylist(), progress.advance)


def _retriever(workspace: Workspace, system: System) -> "Retriever":
    """The encoder of a system over the teacher's embeddings; a pretrained one searches its own exactly."""
    from optical.index.embeddings import open_embeddings
    from optical.index.retriever import Retriever

    index, own = workspace.recipe.index, system.pretrained
    encoder = encoder_node(system.encoder) if own else _ENCODERS[system.encoder]
    embeddings = embeddings_node(system.encoder) if own else EMBEDDINGS
    return Retriever.open(
        workspace.path(encoder),
        workspace.recipe.teacher.query_length,
        open_embeddings(workspace.path(embeddings), workspace.fingerprint_of(embeddings), verify=False),
        exact.Config(depth=index.depth) if own else index,
        workspace.path(CANDIDATES) if workspace.has(CANDIDATES) and not own else None,
        workspace.settings.resources.use_gpu,
        pooled=own and parse_pretrained(system.encoder).pooled,
    )


def _evaluation(workspace: Workspace) -> dict:
    """The settings of the evaluation; pretrained encoders are known by their embeddings, not by their paths."""
    return {name: value for name, value in workspace.decisive["evaluation"].items() if name != "pretrained"}


RUNS = Node(
    kind="run",
    version=2,
    made_from=lambda workspace: [
        *(STUDENT, EMBEDDINGS, CANDIDATES),
        *(workspace.recipe.name, workspace.recipe.teacher.query_length),
        *(workspace.decisive["index"], _evaluation(workspace)),
        *pretrained_embeddings(workspace.recipe),
    ],
    make=_make,
    folder=lambda workspace: workspace.run_dir / "runs",
    partial=True,
)
"""One ranking of the passages for every system, by everything that decides a number of the report."""
