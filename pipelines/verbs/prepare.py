"""prepare: bitext, question-passage pairs and the test collection, checked and in parquet shards."""

from pipelines.cleaning import REPORT, first_pairs, first_topics
from pipelines.graph.bitext import BITEXT, QUESTIONS, rejects
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CLEAN_DATA
from pipelines.session import Session


def prepare(session: Session) -> dict:
    """Make the collection and the clean shards, and write ``cleaning.md``; returns counts of what was made."""
    session.make(CLEAN_DATA)
    workspace = session.workspace
    bitext, collection = workspace.info(BITEXT), workspace.info(COLLECTION)
    facts = {
        "pairs": sum(bitext["accepted"].values()),
        "rejected": rejects(bitext),
        "repaired": bitext.get("repaired", {}),
        "cleaning": str(workspace.run_dir / REPORT),
        "passages": collection["passages"],
        "topics": collection["topics"],
        "judgements": collection["judgements"],
        "licences": bitext["licences"] | {workspace.recipe.evaluation.collection: collection["licence"]},
        "shards": str(workspace.path(BITEXT)),
        "first_pairs": first_pairs(workspace.path(BITEXT)),
        "first_topics": first_topics(workspace.path(COLLECTION)),
    }
    if workspace.has(QUESTIONS):
        questions = workspace.info(QUESTIONS)
        facts |= {"questions": sum(questions["accepted"].values()), "questions_rejected": rejects(questions)}
    if collection["remarks"]:
        facts["collection"] = "; ".join(collection["remarks"])
    return facts
