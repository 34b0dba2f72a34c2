"""Comparison: the runs of a protocol's systems, measured and tested against its baseline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from optical.data.collections.qrels import Qrel
from optical.evaluation.measures import Measured, measure
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.runs import Run
from optical.evaluation.significance import Interval


@dataclass(frozen=True)
class Comparison:
    """Every system's measures, their confidence intervals, and corrected p-values against the baseline.

    ``remarks`` say what a reader of the measures should know about the collection.
    """

    systems: dict[str, Measured]
    intervals: dict[str, dict[str, Interval]]
    p: dict[str, float]
    remarks: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, object]:
        """The content of ``evaluation.json``."""
        return {
            "p": self.p,
            "measures": {name: measured.mean for name, measured in self.systems.items()},
            "intervals": {
                name: {key: [interval.low, interval.high] for key, interval in by_measure.items()}
                for name, by_measure in self.intervals.items()
            },
            "remarks": list(self.remarks),
            "missing": {name: list(measured.missing) for name, measured in self.systems.items()},
        }


def compare(
    runs: Mapping[str, Run], qrels: Sequence[Qrel], config: EvaluationConfig, remarks: tuple[str, ...] = ()
) -> Comparison:
    """Measure the run of each system and test its difference from the baseline, topic by topic.

    Args:
        runs: the ranked results by system; the baseline's are among them.
        qrels: the judgements; they decide which topics count.
        config: measures, tests and baseline.
        remarks: kept in the result.

    Raises:
        DataError: no judgements, or a run of other topics than the judged ones.
    """
    systems = {name: measure(run, qrels, config.measures) for name, run in runs.items()}
    intervals = {
        name: {key: config.interval(list(values.values())) for key, values in measured.per_topic.items()}
        for name, measured in systems.items()
    }
    baseline = systems[config.baseline].per_topic[config.tested]
    p_values = {
        name: config.p_value([measured.per_topic[config.tested][qid] for qid in baseline], list(baseline.values()))
        for name, measured in systems.items()
        if name != config.baseline
    }
    return Comparison(systems, intervals, config.corrected(p_values), remarks)
