"""The TREC runs, one for each system. Their fingerprint is the identity of the whole run."""

from pathlib import Path

import pyarrow.parquet as pq

from optical.evaluation.baselines import Bm25, Fusion
from optical.evaluation.fusion import reciprocal_rank_fusion
from optical.evaluation.pretrained import file_name
from optical.evaluation.runs import Run, read_run, write_run
from optical.evaluation.systems import System
from optical.recipe import Recipe
from pipelines.graph.baselines import baselines_made_from
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.pretrained import pretrained_embeddings
from pipelines.graph.rankings import shared_ranking
from pipelines.graph.searching import ENCODERS, read_topics, search
from pipelines.graph.student import STUDENT
from pipelines.graph.workspace import Context, Workspace


def systems(workspace: Workspace) -> tuple[System, ...]:
    """The systems of the protocol that this run can measure, and those that its settings add.

    A topic may lack its English.
    """
    topics = workspace.path(COLLECTION) / "topics.parquet"
    english = pq.read_table(topics, columns=["english"])["english"].to_pylist()
    texts = {"query", *(["english"] if all(english) else [])}
    return workspace.recipe.evaluation.possible(encoders(workspace.recipe), texts)


def encoders(recipe: Recipe) -> set[str]:
    """Names of the encoders of a run: ``start`` need not differ from the teacher, nor ``bridge`` from it."""
    student = recipe.student
    absent = {name for name, there in (("start", student.is_changed), ("bridge", student.bridge)) if not there}
    return ENCODERS.keys() - absent


def run_file(workspace: Workspace, system: System) -> Path:
    """A system's TREC run."""
    return workspace.path(RUNS) / f"{file_name(system.name)}.trec"


def read_runs(workspace: Workspace) -> dict[str, Run]:
    """The runs of all systems by name."""
    return {system.name: read_run(run_file(workspace, system)) for system in systems(workspace)}


def _make(session: Context, path: Path, identity: str) -> None:
    """Search with every system that has no run yet."""
    for system in systems(session.workspace):
        file = run_file(session.workspace, system)
        if not file.exists():
            write_run(file, _ranking(session, system), f"optical-{file_name(system.name)}")


def _ranking(session: Context, system: System) -> Run:
    workspace, made_by = session.workspace, system.made_by
    if isinstance(made_by, Fusion):
        fused = [found for found in systems(workspace) if found.name in made_by.systems]
        rankings = [read_run(run_file(workspace, found)) for found in fused]
        return reciprocal_rank_fusion(rankings, made_by.k, workspace.recipe.index.depth)
    if isinstance(made_by, Bm25):
        with session.work("search"):
            return search(workspace, system, read_topics(workspace))
    return shared_ranking(session, system)


def _evaluation(workspace: Workspace) -> dict:
    """The settings of the evaluation; weights to compare with are known by what they make, not by their paths."""
    known = ("pretrained", "baselines")
    return {name: value for name, value in workspace.decisive["evaluation"].items() if name not in known}


RUNS = Node(
    kind="run",
    version=2,
    made_from=lambda workspace: [
        # First, so that a translation that fails does so before the student is trained.
        *baselines_made_from(workspace),
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
