"""search: one TREC run per system of the protocol. All systems search the teacher's embeddings of the passages."""

from optical.errors import DataError
from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import RUNS, run_file, systems
from pipelines.session import Session


def search(session: Session) -> dict:
    """Search for every system that has no run yet; returns the number of queries and the runs' paths."""
    queries = collection_info(session, "topics")["topics"]
    session.make(RUNS)
    workspace = session.workspace
    return {"queries": queries, "runs": [str(run_file(workspace, system)) for system in systems(workspace)]}


def collection_info(session: Session, *needed: str) -> dict:
    """Make the test collection if it is missing; returns the facts in its manifest.

    Args:
        session: the session.
        needed: parts that the verb needs: ``topics``, ``judgements``.

    Raises:
        DataError: a needed part is missing; this is raised before any other work.
    """
    session.make(COLLECTION)
    workspace = session.workspace
    info = workspace.info(COLLECTION)
    for part in needed:
        if not info[part]:
            advice = "add qrels.txt to measure" if part == "judgements" else "add topics.tsv to search"
            advice += "; run does what can be done without"
            raise DataError(workspace.recipe.evaluation.collection, f"the collection has no {part}", advice)
    return info
