"""Measures of a run over all judged topics, computed by ir_measures.

ir_measures gives RR@10 and the other measures to different tools, and these tools break ties in different ways.
Every tool therefore gets the run's ranks instead of its scores: they have no ties and follow trec_eval's order.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import ir_measures

from optical.data.collections.qrels import Qrel
from optical.errors import DataError
from optical.evaluation.notation import MEASURES
from optical.evaluation.runs import Run


@dataclass(frozen=True)
class Measured:
    """The measures of a run: each measure per topic, its mean, and the judged topics without results."""

    per_topic: dict[str, dict[str, float]]
    mean: dict[str, float]
    missing: tuple[str, ...]

    @property
    def topics(self) -> tuple[str, ...]:
        """The judged topics, in the qrels' order."""
        return tuple(next(iter(self.per_topic.values())))


def measure(run: Run, qrels: Iterable[Qrel], measures: Sequence[str] = MEASURES) -> Measured:
    """Measure a run; every judged topic counts, and one that the run lacks counts 0.

    Args:
        run: the ranked results; topics without judgements are ignored.
        qrels: the judgements; they decide which topics count. A topic with no relevant document counts 0.
        measures: in the notation of ir_measures (see ``notation.check_notation``).

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
    per_topic = {name: dict.fromkeys(topics, 0.0) for name in measures}
    parsed = [ir_measures.parse_measure(name) for name in measures]
    for metric in ir_measures.iter_calc(parsed, judgements, ranked):
        per_topic[str(metric.measure)][metric.query_id] = float(metric.value)
    mean = {name: math.fsum(values.values()) / len(topics) for name, values in per_topic.items()}
    return Measured(per_topic, mean, tuple(qid for qid in topics if qid not in run))
