"""Replicates: systems that were trained with several seeds each, compared topic by topic.

The values of a system are averaged over its seeds before anything is tested, so the topics are the sampling unit. Every
pair of systems is tested, and all pairs are corrected together: a reference or a best system that is chosen after the
measures are known then has no p-value that is too small. The tests ask about other topics and not about other
trainings, of which the spread over seeds is the only evidence.

One rule says who is better: two systems are tied unless the corrected p-value of their randomisation test is below
``SIGNIFICANT``.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations

import numpy as np

from optical.errors import DataError, require
from optical.evaluation.significance import (
    EXACT_TOPICS,
    SIGNIFICANT,
    Interval,
    bootstrap_interval,
    holm,
    paired_randomisation,
)

_ROUNDING = 1e-12
"""Averages over seeds that are equal in exact arithmetic differ in their last bits."""
_Pair = tuple[str, str]


@dataclass(frozen=True)
class Replicated:
    """A system: its mean over seeds on each topic, its mean over topics for each seed, the interval over topics."""

    per_topic: tuple[float, ...]
    seeds: tuple[float, ...]
    interval: Interval

    @property
    def mean(self) -> float:
        """The mean over topics and seeds."""
        return math.fsum(self.seeds) / len(self.seeds)

    @property
    def deviation(self) -> float | None:
        """Standard deviation (with n - 1) of the mean over seeds; None with one seed, which shows no spread."""
        return float(np.std(self.seeds, ddof=1)) if len(self.seeds) > 1 else None

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        spread = {"deviation": self.deviation, "lowest": min(self.seeds), "highest": max(self.seeds)}
        return {
            "mean": self.mean,
            "seeds": list(self.seeds),
            **spread,
            "interval": list(asdict(self.interval).values()),
        }


@dataclass(frozen=True)
class Difference:
    """How much larger a system's mean is than the reference's, and how sure that is. The sampling unit is the topic.

    Args:
        mean: of the differences of all topics.
        interval: of that mean, by the bootstrap over topics; not corrected for the number of comparisons.
        p: of the paired randomisation test, corrected by Holm over all pairs of systems.
        p_t: of the paired t test, likewise; None where the differences do not vary, so that there is no such test.
        effect: Cohen's d_z, the mean difference divided by the standard deviation (n - 1) of the differences of the
            topics; None where these do not vary.
        wins: topics on which the system is better than the reference.
        ties: topics on which both are equal.
        losses: topics on which the system is worse.
    """

    mean: float
    interval: Interval
    p: float
    p_t: float | None
    effect: float | None
    wins: int
    ties: int
    losses: int

    @property
    def significant(self) -> bool:
        """Whether the systems are not tied."""
        return self.p < SIGNIFICANT

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return asdict(self) | {"interval": [self.interval.low, self.interval.high], "significant": self.significant}


@dataclass(frozen=True)
class Replicates:
    """Systems in the order given, the difference of each to the reference, and the systems tied with the best.

    ``best`` are the system with the largest mean and every system tied with it, the largest mean first; ``yardsticks``
    take no part in this. ``pairs`` is the number of comparisons that all p-values are corrected for.
    """

    systems: dict[str, Replicated]
    reference: str
    differences: dict[str, Difference]
    best: tuple[str, ...]
    pairs: int
    yardsticks: tuple[str, ...] = ()

    @property
    def topics(self) -> int:
        """The number of topics."""
        return len(self.systems[self.reference].per_topic)

    def as_dict(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {
            "topics": self.topics,
            "comparisons": self.pairs,
            "reference": self.reference,
            "best": list(self.best),
            "yardsticks": list(self.yardsticks),
            "systems": {name: system.as_dict() for name, system in self.systems.items()},
            "differences": {name: difference.as_dict() for name, difference in self.differences.items()},
        }


def compare_replicates(
    values: Mapping[str, Sequence[Sequence[float]]],
    reference: str,
    resamples: int = 10_000,
    seed: int = 0,
    yardsticks: Collection[str] = (),
) -> Replicates:
    """Compare systems of which each was measured with one or more seeds.

    >>> found = compare_replicates({"a": [[0.5, 1.0, 0.5], [0.5, 0.5, 0.0]], "b": [[0.25, 0.5, 0.25]]}, reference="b")
    >>> found.systems["a"].mean, found.differences["a"].p, found.best
    (0.5, 0.5, ('a', 'b'))

    Args:
        values: a measure by system, then by seed, then by topic; the topics are the same and in one order everywhere.
            A system that no seed changes has one row.
        reference: the system that the others are compared with.
        resamples: bootstrap resamples and random sign assignments.
        seed: of both.
        yardsticks: systems that are compared and cannot be the best, such as one that reads translations by people.

    Raises:
        UserError: fewer than two systems, no rival among them, no such reference, or too few resamples for a
            significant result.
        DataError: a system without seeds, other numbers of topics, or values that are not finite.
    """
    require(len(values) > 1, "comparison", f"has {len(values)} system(s)", "give at least two")
    known = ", ".join(values)
    require(reference in values, "reference", f"{reference!r} is not among the systems", f"choose from {known}")
    require(not set(values) <= set(yardsticks), "comparison", "has yardsticks alone", "give a system to compare")
    tables = {name: _table(name, rows) for name, rows in values.items()}
    sizes = {table.shape[1] for table in tables.values()}
    if len(sizes) > 1:
        what = f"systems have {' and '.join(map(str, sorted(sizes)))} topics"
        raise DataError("comparison", what, "measure all of them on the same topics")
    pairs = list(combinations(values, 2))
    _require_resamples(resamples, len(pairs), sizes.pop())
    means = {name: table.mean(axis=0) for name, table in tables.items()}
    apart = {pair: _apart(means[pair[0]], means[pair[1]]) for pair in pairs}
    # The same signs are drawn for every pair, whichever of the two comes first.
    p = holm({pair: paired_randomisation(d, np.zeros(len(d)).tolist(), resamples, seed) for pair, d in apart.items()})
    p_t = holm({pair: found for pair, d in apart.items() if (found := _t_test(d)) is not None})
    systems = {
        name: Replicated(
            tuple(means[name].tolist()),
            tuple(math.fsum(row) / len(row) for row in table.tolist()),
            bootstrap_interval(means[name].tolist(), resamples, seed),
        )
        for name, table in tables.items()
    }
    differences = {
        name: _difference(apart, (name, reference), p, p_t, resamples, seed) for name in values if name != reference
    }
    order = sorted((name for name in systems if name not in yardsticks), key=lambda name: -systems[name].mean)
    best = tuple(name for name in order if name == order[0] or _of(p, (order[0], name)) >= SIGNIFICANT)
    return Replicates(systems, reference, differences, best, len(pairs), tuple(filter(yardsticks.__contains__, values)))


def _table(name: str, rows: Sequence[Sequence[float]]) -> np.ndarray:
    """Seeds by topics."""
    try:
        table = np.array([list(row) for row in rows], dtype=np.float64)
    except ValueError:
        table = np.zeros(0)
    if table.ndim != 2 or table.size == 0:
        what = "is no table of seeds by topics"
        raise DataError(name, what, "give at least one seed, and each the same topics, at least one")
    if not np.isfinite(table).all():
        raise DataError(name, "holds a value that is not finite", "check the measures of its runs")
    return table


def least_resamples(pairs: int) -> int:
    """The number of random sign assignments below which even the smallest p-value of so many is not significant.

    >>> least_resamples(6)
    120
    """
    return math.ceil(pairs / SIGNIFICANT)


def _require_resamples(resamples: int, pairs: int, topics: int) -> None:
    needed = least_resamples(pairs)
    what = f"is {resamples}, and no p-value of {pairs} comparisons could then be below {SIGNIFICANT}"
    require(resamples >= (needed if topics > EXACT_TOPICS else 1), "resamples", what, f"set at least {needed}")


def _apart(first: np.ndarray, second: np.ndarray) -> list[float]:
    difference = first - second
    return np.where(np.abs(difference) <= _ROUNDING, 0.0, difference).tolist()


def _of(p: Mapping[_Pair, float], pair: _Pair) -> float:
    return p[pair] if pair in p else p[pair[::-1]]


def _difference(
    apart: Mapping[_Pair, list[float]],
    pair: _Pair,
    p: Mapping[_Pair, float],
    p_t: Mapping[_Pair, float],
    resamples: int,
    seed: int,
) -> Difference:
    topics = np.array(apart[pair] if pair in apart else [-value for value in apart[pair[::-1]]])
    vary = _vary(topics)
    return Difference(
        mean=math.fsum(topics) / len(topics),
        interval=bootstrap_interval(topics.tolist(), resamples, seed),
        p=_of(p, pair),
        p_t=_of(p_t, pair) if pair in p_t or pair[::-1] in p_t else None,
        effect=float(topics.mean() / topics.std(ddof=1)) if vary else None,
        wins=int((topics > 0).sum()),
        ties=int((topics == 0).sum()),
        losses=int((topics < 0).sum()),
    )


def _t_test(topics: Sequence[float]) -> float | None:
    from scipy import stats

    return float(stats.ttest_1samp(topics, 0.0).pvalue) if _vary(np.array(topics)) else None


def _vary(topics: np.ndarray) -> bool:
    """Whether differences of topics vary by more than the rounding of their averages."""
    return bool(np.ptp(topics) > _ROUNDING)
