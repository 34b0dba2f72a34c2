"""search: one TREC run per system of the protocol; all of them search the teacher's embeddings."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from optical.evaluation.protocols.base import System
from optical.evaluation.runs import Run, read_run, write_run
from optical.index.embeddings import open_embeddings
from optical.index.retriever import Retriever
from optical.tracking.progress import Progress
from pipelines.session import Session
from pipelines.verbs.index import index
from pipelines.verbs.prepare import collection_of
from pipelines.verbs.train import train


def systems(session: Session) -> tuple[System, ...]:
    """The systems of the protocol that this run can measure.

    The encoder ``start`` differs from the teacher only where a vocabulary was added, and a topic may lack its English.
    """
    workspace = session.workspace
    english = pq.read_table(workspace.collection / "topics.parquet", columns=["english"])["english"].to_pylist()
    encoders = {"teacher", "student"} | ({"start"} if workspace.recipe.student.vocabulary else set())
    fields = {"query"} | ({"english"} if all(english) else set())
    return workspace.recipe.evaluation.possible(encoders, fields)


def search(session: Session) -> dict:
    """Search for every system that has no run yet; returns the number of queries and the runs' paths."""
    collection_of(session, "topics")
    train(session)
    index(session)
    topics = pq.read_table(session.workspace.collection / "topics.parquet")
    for system in systems(session):
        path = run_path(session, system.name)
        if not path.exists():
            with session.work("search"):
                write_run(path, _run(session, system, topics), f"optical-{system.name}")
    return {"queries": len(topics), "runs": [str(run_path(session, system.name)) for system in systems(session)]}


def run_path(session: Session, system: str) -> Path:
    """Where a system's TREC run is."""
    return session.run_dir / "runs" / f"{system}.trec"


def read_runs(session: Session) -> dict[str, Run]:
    """The runs of all systems by name."""
    return {system.name: read_run(run_path(session, system.name)) for system in systems(session)}


def _run(session: Session, system: System, topics: pa.Table) -> Run:
    workspace = session.workspace
    torch.set_num_threads(workspace.settings.resources.threads or torch.get_num_threads())
    # Their hashes were checked by the verb index, once for all systems.
    passages = open_embeddings(workspace.embeddings, workspace.embeddings_fingerprint, verify=False)
    retriever = Retriever.open(
        getattr(workspace, system.encoder),
        workspace.recipe.teacher.query_length,
        passages,
        workspace.recipe.index,
        workspace.candidates if workspace.proposes else None,
        workspace.settings.resources.use_gpu,
    )
    with Progress(f"search {system.name}", len(topics), "queries") as progress:
        return retriever.run(topics["qid"].to_pylist(), topics[system.field].to_pylist(), progress.advance)
