"""evaluate: the runs against the qrels, with intervals and a paired test against zero-shot."""

from dataclasses import dataclass

from optical.artefacts import write_json
from optical.evaluation.measures import Measured, measure
from optical.evaluation.runs import read_qrels
from optical.evaluation.significance import Interval, bootstrap_interval, holm, paired_randomisation
from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import RUNS, read_runs
from pipelines.session import Session
from pipelines.verbs.search import collection_info

BASELINE = "zero_shot"
TESTED = "AP"


@dataclass(frozen=True)
class Verdict:
    """Every system's measures, their bootstrap intervals, and p-values of AP against zero-shot (Holm-corrected).

    ``remarks`` say what of the collection a reader of the measures should know.
    """

    systems: dict[str, Measured]
    intervals: dict[str, dict[str, Interval]]
    p: dict[str, float]
    remarks: tuple[str, ...] = ()


def evaluate(session: Session) -> Verdict:
    """Measure all runs and write ``evaluation.json``."""
    remarks = tuple(collection_info(session, "topics", "judgements")["remarks"])
    session.make(RUNS)
    workspace = session.workspace
    config = workspace.recipe.evaluation
    qrels = read_qrels(workspace.path(COLLECTION) / "qrels.txt")
    systems = {name: measure(run, qrels) for name, run in read_runs(workspace).items()}
    intervals = {
        name: {
            key: bootstrap_interval(list(values.values()), config.resamples, config.seed)
            for key, values in measured.per_topic.items()
        }
        for name, measured in systems.items()
    }
    base = systems[BASELINE].per_topic[TESTED]
    raw = {
        name: paired_randomisation(
            [measured.per_topic[TESTED][qid] for qid in base], list(base.values()), config.resamples, config.seed
        )
        for name, measured in systems.items()
        if name != BASELINE
    }
    verdict = Verdict(systems, intervals, holm(raw), remarks)
    write_json(session.run_dir / "evaluation.json", _plain(verdict))
    return verdict


def _plain(verdict: Verdict) -> dict:
    return {
        "p": verdict.p,
        "measures": {name: measured.mean for name, measured in verdict.systems.items()},
        "intervals": {
            name: {key: [interval.low, interval.high] for key, interval in by_measure.items()}
            for name, by_measure in verdict.intervals.items()
        },
        "remarks": list(verdict.remarks),
        "missing": {name: list(measured.missing) for name, measured in verdict.systems.items()},
    }
