"""search: one TREC run per system. All systems search the teacher's embeddings of the passages."""

from pipelines.graph.collection import collection_info
from pipelines.graph.runs import RUNS, systems
from pipelines.session import Session


def search(session: Session) -> dict:
    """Search for every system that has no run yet; returns the number of queries and the runs' paths."""
    queries = collection_info(session, "topics")["topics"]
    session.make(RUNS)
    workspace = session.workspace
    return {"queries": queries, "runs": [str(RUNS.file(workspace, system)) for system in systems(workspace)]}
