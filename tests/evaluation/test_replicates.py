"""Replicates: seeds are averaged before any test, all pairs are corrected together, and ties have one rule."""

import math
from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from optical.errors import DataError, UserError
from optical.evaluation.replicates import compare_replicates
from optical.evaluation.significance import Interval, bootstrap_interval, holm, paired_randomisation

# 2 seeds and 3 topics, in eighths. Averages: a 4/8, 6/8, 2/8; b 2/8, 4/8, 2/8. Differences: 2/8, 2/8, 0.
BY_HAND = {"a": [[0.5, 1.0, 0.5], [0.5, 0.5, 0.0]], "b": [[0.25, 0.5, 0.25], [0.25, 0.5, 0.25]]}


@pytest.fixture
def drawn() -> dict[str, np.ndarray]:
    """Four systems on 40 topics: a and b differ by little, c and d by much; b has one seed, the others three."""
    draw = np.random.default_rng(5)
    topics = draw.random(40)
    means = {"a": 0.0, "b": 0.01, "c": 0.3, "d": 0.6}
    return {
        name: topics + mean + 0.2 * draw.standard_normal((1 if name == "b" else 3, 40)) for name, mean in means.items()
    }


def _as_lists(tables: dict[str, np.ndarray]) -> dict[str, list[list[float]]]:
    return {name: table.tolist() for name, table in tables.items()}


def test_two_seeds_and_three_topics_by_hand():
    found = compare_replicates(BY_HAND, "b")
    a, apart = found.systems["a"], found.differences["a"]
    assert (a.per_topic, a.seeds, a.mean) == ((0.5, 0.75, 0.25), (2 / 3, 1 / 3), 0.5)
    assert a.deviation == pytest.approx(math.sqrt(2) / 6, abs=1e-15)  # 1/6 from the mean each: sqrt(2/36 / 1)
    assert found.systems["b"].deviation == 0.0
    assert apart.mean == pytest.approx(1 / 6, abs=1e-15)
    assert apart.p == 0.5  # two topics differ: 2 of 4 assignments
    # The deviation of 1/4, 1/4, 0 is sqrt((2/144 + 4/144) / 2) = 1/sqrt(48); t is sqrt(3) times the effect.
    assert apart.effect == pytest.approx(math.sqrt(48) / 6, abs=1e-12)
    assert apart.p_t == pytest.approx(2 * stats.t.sf(2.0, 2), abs=1e-12)
    assert (apart.wins, apart.ties, apart.losses) == (2, 1, 0)
    assert found.best == ("a", "b")
    assert (found.topics, found.pairs) == (3, 1)


def test_tests_are_those_of_scipy_and_of_this_room_on_averages_over_seeds(drawn):
    found = compare_replicates(_as_lists(drawn), "a", 10_000, 3)
    means = {name: table.mean(axis=0) for name, table in drawn.items()}
    pairs = list(combinations(means, 2))
    t_test = holm({pair: stats.ttest_rel(means[pair[0]], means[pair[1]]).pvalue for pair in pairs})
    signs = holm({pair: paired_randomisation(means[pair[0]], means[pair[1]], 10_000, 3) for pair in pairs})
    assert list(found.differences) == ["b", "c", "d"]
    for name, apart in found.differences.items():
        assert apart.p_t == pytest.approx(t_test["a", name], abs=1e-12)
        assert apart.p == pytest.approx(signs["a", name], abs=1e-12)
        assert apart.mean == pytest.approx((means[name] - means["a"]).mean(), abs=1e-12)
        expected = bootstrap_interval(means[name] - means["a"], 10_000, 3)
        assert (apart.interval.low, apart.interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
        t = stats.ttest_rel(means[name], means["a"]).statistic
        assert apart.effect == pytest.approx(t / math.sqrt(40), abs=1e-12)
        assert apart.wins + apart.ties + apart.losses == 40
    assert found.pairs == 6


def test_tied_is_whatever_the_corrected_randomisation_test_does_not_part(drawn):
    two = compare_replicates(_as_lists({name: drawn[name] for name in "abc"}), "a")
    assert two.best == ("c",)
    tied = compare_replicates(_as_lists({name: drawn[name] for name in "ab"}), "a")
    assert set(tied.best) == {"a", "b"}
    assert not tied.differences["b"].significant
    order = compare_replicates(_as_lists({name: drawn[name] for name in "dcba"}), "a")
    assert order.best == ("d",)


def test_the_reference_changes_no_p_value(drawn):
    """All pairs are corrected together, so nothing is won by choosing the reference after the fact."""
    one, other = (compare_replicates(_as_lists(drawn), name) for name in "ad")
    mine, theirs = one.differences["d"], other.differences["a"]
    assert (mine.p, mine.p_t, mine.mean, mine.effect) == pytest.approx(
        (theirs.p, theirs.p_t, -theirs.mean, -theirs.effect)
    )
    assert (mine.wins, mine.losses) == (theirs.losses, theirs.wins)
    assert one.best == other.best


def test_more_seeds_of_the_same_values_make_nothing_more_certain(drawn):
    once = compare_replicates(_as_lists(drawn), "a")
    thrice = compare_replicates({name: np.tile(table, (3, 1)).tolist() for name, table in drawn.items()}, "a")
    assert [apart.p for apart in thrice.differences.values()] == [apart.p for apart in once.differences.values()]
    assert thrice.systems["b"].interval == once.systems["b"].interval


def test_one_seed_shows_no_spread(drawn):
    said = compare_replicates(_as_lists(drawn), "a").as_dict()
    assert said["systems"]["b"]["deviation"] is None
    assert said["systems"]["a"]["deviation"] == pytest.approx(np.std(drawn["a"].mean(axis=1), ddof=1), abs=1e-12)


def test_equal_systems_are_tied_although_their_averages_differ_in_the_last_bits():
    thirds = [[0.1], [0.2], [0.3]]
    found = compare_replicates({"a": [row * 5 for row in thirds], "b": [[0.2] * 5]}, "b").differences["a"]
    assert np.mean([0.1, 0.2, 0.3]) != 0.2
    assert (found.p, found.p_t, found.effect, found.ties) == (1.0, None, None, 5)
    assert found.interval == Interval(0.0, 0.0)


def test_a_difference_that_is_the_same_on_all_topics_has_no_t_test():
    found = compare_replicates({"a": [[0.3, 0.4, 0.5]], "b": [[0.2, 0.3, 0.4]]}, "b").differences["a"]
    assert (found.p, found.p_t, found.effect) == (0.25, None, None)


@pytest.mark.parametrize(
    ("values", "reference", "error", "said"),
    [
        ({"a": [[0.1]]}, "a", UserError, "comparison: has 1 system"),
        ({"a": [[0.1]], "b": [[0.2]]}, "c", UserError, "reference: 'c' is not among the systems; choose from a, b"),
        ({"a": [[0.1]], "b": []}, "a", DataError, "b: is no table"),
        ({"a": [[0.1]], "b": [[]]}, "a", DataError, "b: is no table"),
        ({"a": [[0.1, 0.2], [0.1]], "b": [[0.1, 0.2]]}, "a", DataError, "a: is no table"),
        ({"a": [[0.1]], "b": [[0.1, 0.2]]}, "a", DataError, "comparison: systems have 1 and 2 topics"),
        ({"a": [[0.1]], "b": [[math.nan]]}, "a", DataError, "b: holds a value that is not finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(values, reference, error, said):
    with pytest.raises(error, match=said):
        compare_replicates(values, reference)


def test_resamples_that_could_never_show_a_difference_are_refused(drawn):
    """Six comparisons: the smallest p-value, 1 / (resamples + 1), times six must be below .05."""
    values = _as_lists(drawn)
    with pytest.raises(UserError, match="resamples: is 119, and no p-value of 6 comparisons .* set at least 120"):
        compare_replicates(values, "a", 119)
    assert compare_replicates(values, "a", 120).differences["d"].significant
