"""evaluate: the runs against the qrels, with intervals and a paired test against the protocol's baseline."""

from optical.artefacts import write_json
from optical.evaluation.comparison import Comparison, compare
from optical.evaluation.runs import read_qrels
from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import RUNS, read_runs
from pipelines.session import Session
from pipelines.verbs.search import collection_info


def evaluate(session: Session) -> Comparison:
    """Measure all runs and write ``evaluation.json``."""
    remarks = tuple(collection_info(session, "topics", "judgements")["remarks"])
    session.make(RUNS)
    workspace = session.workspace
    qrels = read_qrels(workspace.path(COLLECTION) / "qrels.txt")
    found = compare(read_runs(workspace), qrels, workspace.recipe.evaluation, remarks)
    write_json(session.run_dir / "evaluation.json", found.as_dict())
    return found
