"""Comparison: the runs of a protocol's systems, measured, and tested against its baseline and its subject."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from optical.data.collections.qrels import Qrel
from optical.evaluation.measures import Measured, measure
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.runs import Run
from optical.evaluation.significance import Interval

Values = Mapping[str, Sequence[float]]
"""The tested measure by system, one value for each topic, topics alike."""


@dataclass(frozen=True)
class Gain:
    """How much larger the subject's mean is than another system's: the difference, its interval, its corrected p.

    The interval is that of the mean difference, from samples of topics on which both systems are measured.
    """

    difference: float
    interval: Interval
    p: float

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "difference": self.difference,
            "interval": [self.interval.low, self.interval.high],
            "p": self.p,
        }

    @classmethod
    def of(cls, plain: Mapping) -> "Gain":
        """The gain of ``as_dict``."""
        return cls(plain["difference"], Interval(*plain["interval"]), plain["p"])


@dataclass(frozen=True)
class Comparison:
    """Every system's measures and their confidence intervals, and two families of tests, corrected together.

    ``p`` tests every system against the baseline. ``gains`` is what the subject gains over every other system.
    ``remarks`` say what a reader of the measures should know about the collection.
    """

    systems: dict[str, Measured]
    intervals: dict[str, dict[str, Interval]]
    p: dict[str, float]
    remarks: tuple[str, ...] = ()
    gains: dict[str, Gain] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """The content of ``evaluation.json``."""
        return {
            "p": self.p,
            "gains": {name: gain.as_dict() for name, gain in self.gains.items()},
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
    """Measure the run of each system, and test differences topic by topic.

    Every system is tested against the baseline, and the subject against every other system. The p-values of all these
    comparisons are corrected together.

    Args:
        runs: the ranked results by system; the baseline's are among them.
        qrels: the judgements; they decide which topics count.
        config: measures, tests, baseline and subject.
        remarks: kept in the result.

    Raises:
        DataError: no judgements, or a run of other topics than the judged ones.
    """
    systems = {name: measure(run, qrels, config.measures) for name, run in runs.items()}
    intervals = {
        name: {key: config.interval(list(values.values())) for key, values in measured.per_topic.items()}
        for name, measured in systems.items()
    }
    topics = systems[config.baseline].topics
    values = {name: [measured.per_topic[config.tested][qid] for qid in topics] for name, measured in systems.items()}
    pairs = compared_pairs(config, values)
    p = config.corrected({pair: config.p_value(values[pair[0]], values[pair[1]]) for pair in pairs})
    against = {name: p[name, other] for name, other in pairs if other == config.baseline}
    return Comparison(systems, intervals, against, remarks, dict(_gains(config, values, p)))


def compared_pairs(config: EvaluationConfig, systems: Collection[str]) -> list[tuple[str, str]]:
    """Every comparison as (system, the one it is tested against), each once: the baseline's, then the subject's."""
    baseline, subject = config.baseline, config.subject
    pairs = [(name, baseline) for name in systems if name != baseline]
    if subject in systems:
        pairs += [(subject, name) for name in systems if name not in (subject, baseline)]
    return pairs


def _gains(config: EvaluationConfig, values: Values, p: Mapping[tuple[str, str], float]) -> Iterator[tuple[str, Gain]]:
    """The subject's gain over every other system, in the order of the systems."""
    for name, others in values.items():
        if (pair := (config.subject, name)) in p:
            gains = [mine - other for mine, other in zip(values[config.subject], others, strict=True)]
            yield name, Gain(sum(gains) / len(gains), config.interval(gains), p[pair])
