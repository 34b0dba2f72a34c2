"""evaluate: the runs against the qrels, with intervals and a paired test against the protocol's baseline."""

from optical.artefacts import write_json
from optical.evaluation.comparison import Comparison, compare
from optical.evaluation.runs import read_qrels
from pipelines.session import Session
from pipelines.verbs.prepare import collection_of
from pipelines.verbs.search import read_runs, search


def evaluate(session: Session) -> Comparison:
    """Measure all runs and write ``evaluation.json``."""
    remarks = tuple(collection_of(session, "topics", "judgements")["remarks"])
    search(session)
    qrels = read_qrels(session.workspace.collection / "qrels.txt")
    found = compare(read_runs(session), qrels, session.workspace.recipe.evaluation, remarks)
    write_json(session.run_dir / "evaluation.json", found.as_dict())
    return found
