"""Significance: hand cases, exactness, agreement with scipy, bounded memory."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, permutation_test

from optical.errors import DataError, UserError
from optical.evaluation.significance import Interval, bootstrap_interval, holm, paired_randomisation


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([0.2, 0.3, 0.4], 2 / 8),  # +++ and ---
        ([1.0, -1.0], 1.0),  # the observed sum is 0
        ([3.0, -1.0], 1.0),  # the sums are 4, 2, -2, -4, and |2| was observed
        ([4.0, 2.0, -1.0], 4 / 8),  # 7, 5, 3, 1 and their negatives; 5 was observed
        ([0.1] * 5 + [0.0] * 30, 2 / 32),  # equal topics are not counted
        ([0.0, 0.0], 1.0),
        ([5.0], 1.0),
    ],
)
def test_hand_cases(differences: list[float], expected: float) -> None:
    assert paired_randomisation(differences, [0.0] * len(differences), 10, 0) == expected


def _scipy(x: np.ndarray, y: np.ndarray, resamples: float) -> float:
    return permutation_test(
        (x, y),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        rng=np.random.default_rng(1),
    ).pvalue


@pytest.mark.parametrize("seed", range(4))
def test_exact_values_are_scipys(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 11, 12) / 10
    y = rng.integers(0, 11, 12) / 10
    assert paired_randomisation(x, y, 10, 0) == pytest.approx(_scipy(x, y, np.inf))


def test_sampled_values_are_near_scipys() -> None:
    rng = np.random.default_rng(5)
    y = rng.random(60)
    x = y + rng.normal(0.03, 0.12, 60)
    sampled = paired_randomisation(x, y, 20_000, 0)
    assert 0.01 < sampled < 0.5
    assert sampled == pytest.approx(_scipy(x, y, 20_000), abs=0.01)


def test_sampling_counts_the_observed_assignment_and_repeats_with_its_seed() -> None:
    x, y = [0.5] * 40, [0.1] * 40
    assert paired_randomisation(x, y, 999, 0) == 1 / 1000
    rng = np.random.default_rng(0)
    x, y = rng.random(40), rng.random(40)
    first = paired_randomisation(x, y, 500, 7)
    assert first == paired_randomisation(x, y, 500, 7) == paired_randomisation(y, x, 500, 7)
    assert first != paired_randomisation(x, y, 500, 8)


def test_twenty_differences_are_enumerated_and_twenty_one_are_not() -> None:
    assert paired_randomisation([1.0] * 20, [0.0] * 20, 10, 0) == 2 / 2**20
    assert paired_randomisation([1.0] * 21, [0.0] * 21, 10, 0) == 1 / 11


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=10))
def test_a_p_value_is_a_probability_and_symmetric(pairs: list[tuple[float, float]]) -> None:
    x, y = zip(*pairs, strict=True)
    p_value = paired_randomisation(x, y, 10, 0)
    assert 0 < p_value <= 1
    assert p_value == paired_randomisation(y, x, 10, 0)


def test_memory_stays_bounded() -> None:
    rng = np.random.default_rng(0)
    values = rng.random(1000)
    tracemalloc.start()
    paired_randomisation(values, values[::-1], 5000, 0)
    bootstrap_interval(values, 5000, 0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20  # all signs at once would be 40 MB


def test_interval_of_a_normal_sample_is_the_normal_interval() -> None:
    values = np.random.default_rng(2).normal(0.5, 0.2, 400)
    interval = bootstrap_interval(values, 8000, 0)
    half = 1.96 * values.std() / 20
    assert interval.low == pytest.approx(values.mean() - half, abs=0.002)
    assert interval.high == pytest.approx(values.mean() + half, abs=0.002)
    assert interval == bootstrap_interval(values, 8000, 0)


@pytest.mark.parametrize("topics", [2, 40, 300])
def test_the_interval_is_scipys_percentile_interval(topics: int) -> None:
    values = np.random.default_rng(topics).random(topics)
    theirs = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(3))
    interval = bootstrap_interval(values, 2000, 3)
    assert (interval.low, interval.high) == pytest.approx(theirs.confidence_interval, abs=1e-14)


def test_interval_widens_with_the_level_and_collapses_without_variance() -> None:
    values = np.random.default_rng(2).random(50)
    narrow, wide = bootstrap_interval(values, 500, 0, level=0.5), bootstrap_interval(values, 500, 0, level=0.99)
    assert wide.low < narrow.low < narrow.high < wide.high
    assert bootstrap_interval([0.25] * 9, 50, 0) == Interval(0.25, 0.25)


def test_holm_by_hand() -> None:
    assert holm({"c": 0.04, "a": 0.01, "d": 0.9, "b": 0.03}) == pytest.approx(
        {"c": 0.09, "a": 0.04, "d": 0.9, "b": 0.09}
    )
    assert list(holm({"c": 0.04, "a": 0.01})) == ["c", "a"]
    assert holm({"a": 0.7, "b": 0.8}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(DataError, match="1 and 2 topics"):
        paired_randomisation([1.0], [1.0, 2.0], 10, 0)
    with pytest.raises(DataError, match="at least one"):
        bootstrap_interval([], 10, 0)
    with pytest.raises(DataError, match="not finite"):
        bootstrap_interval([float("nan")], 10, 0)
    with pytest.raises(UserError, match="resamples"):
        paired_randomisation([1.0], [2.0], 0, 0)
    with pytest.raises(UserError, match="level"):
        bootstrap_interval([1.0], 10, 0, level=95)
    with pytest.raises(UserError, match="p-value of a"):
        holm({"a": 1.5})
