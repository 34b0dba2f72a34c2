"""search: one TREC run per system of the protocol. All systems search the teacher's embeddings of the passages."""

from optical.errors import DataError
from optical.evaluation.translations import FILE
from pipelines.graph.baselines import translated_by
from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import RUNS, run_file, systems
from pipelines.session import Session


def search(session: Session) -> dict:
    """Search for every system that has no run yet; returns the number of queries and the paths of runs.

    Translated queries that baselines read are named too: a person can read them.
    """
    queries = collection_info(session, "topics")["topics"]
    session.make(RUNS)
    workspace = session.workspace
    found = systems(workspace)
    facts = {"queries": queries, "runs": [str(run_file(workspace, system)) for system in found]}
    nodes = dict.fromkeys(node for system in found if (node := translated_by(system.made_by)))
    translated = [str(workspace.path(node) / FILE) for node in nodes]
    return facts | ({"translations": translated} if translated else {})


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
