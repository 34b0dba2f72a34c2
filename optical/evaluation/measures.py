"""Measures: AP, RR@10, nDCG@10 and R@100 over all judged topics, computed by ir_measures.

ir_measures hands RR@10 and the other measures to different tools, and those break ties differently.
Every tool is therefore given the run's ranks, already tie-free in trec_eval's order, instead of its scores.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import ir_measures

from optical.errors import DataError
from optical.evaluation.runs import Qrel, Run

MEASURES = {"AP": "MAP", "RR@10": "MRR@10", "nDCG@10": "nDCG@10", "R@100": "R@100"}
"""Each measure of a topic, and the name of its mean."""


@dataclass(frozen=True)
class Measured:
    """What a run is worth: each measure per topic, its mean, and the judged topics it left unanswered."""

    per_topic: dict[str, dict[str, float]]
    mean: dict[str, float]
    missing: tuple[str, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The judged topics, in the qrels' order."""
        return tuple(self.per_topic["AP"])


def measure(run: Run, qrels: Iterable[Qrel]) -> Measured:
    """Measure a run; every judged topic counts, and one missing from the run counts 0.

    Args:
        run: the ranked results; topics without judgements are ignored.
        qrels: the judgements; they decide which topics count. A topic with no relevant document counts 0.

    Raises:
        DataError: no judgements at all, or a run of other topics than the judged ones.
    """
    judgements = [ir_measures.Qrel(qrel.qid, qrel.docid, qrel.relevance) for qrel in qrels]
    topics = tuple(dict.fromkeys(judgement.query_id for judgement in judgements))
    if not topics:
        raise DataError("qrels", "no topic is judged, so no measure exists", "give qrels with at least one line")
    if len(run) and not any(qid in run for qid in topics):
        what = f"none of its {len(run.rankings)} topics is judged ({next(iter(run.rankings))!r} is of the run"
        advice = "give the run and the qrels of one set of topics"
        raise DataError("run", f"{what}, {topics[0]!r} of the qrels)", advice)
    ranked = [ir_measures.ScoredDoc(qid, docid, -rank) for qid in topics for rank, docid in enumerate(run.docids(qid))]
    per_topic = {name: dict.fromkeys(topics, 0.0) for name in MEASURES}
    parsed = [ir_measures.parse_measure(name) for name in MEASURES]
    for metric in ir_measures.iter_calc(parsed, judgements, ranked):
        per_topic[str(metric.measure)][metric.query_id] = float(metric.value)
    mean = {name: math.fsum(values.values()) / len(topics) for name, values in per_topic.items()}
    return Measured(per_topic, mean, tuple(qid for qid in topics if qid not in run))
