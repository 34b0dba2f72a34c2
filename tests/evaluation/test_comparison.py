"""Differences between systems: each pair is tested once, all are corrected together, effects have paired intervals."""

from dataclasses import replace

import pytest

from optical.data.collections.qrels import Qrel
from optical.errors import UserError
from optical.evaluation.comparison import Gain, compare, compared_pairs
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.protocols.crosslingual import Config
from optical.evaluation.runs import Run, ScoredDoc
from optical.evaluation.significance import Interval

TOPICS = [f"q{number}" for number in range(10)]
QRELS = [Qrel(qid, "good", 1) for qid in TOPICS]
DENSE = "dense:e5"


def first_on(count: int) -> Run:
    """A run that finds the relevant passage first on the first ``count`` topics, and second on the others."""
    return Run(
        ScoredDoc(qid, docid, -rank)
        for place, qid in enumerate(TOPICS)
        for rank, docid in enumerate(["good", "bad"] if place < count else ["bad", "good"])
    )


RUNS = {"zero_shot": first_on(0), DENSE: first_on(6), "student": first_on(10), "english_ceiling": first_on(8)}
PROTOCOL = Config(collection="c", measures=("AP",), pretrained=(DENSE,))


def test_p_values_are_those_of_counted_signs_corrected_over_every_pair_once():
    """Of n differing topics with one sign, 2 of 2^n assignments are as extreme; Holm multiplies by 5, 4, 3, 2, 1."""
    found = compare(RUNS, QRELS, PROTOCOL)
    assert found.p == pytest.approx(
        {DENSE: 3 * 2 / 2**6, "student": 5 * 2 / 2**10, "english_ceiling": 4 * 2 / 2**8}, abs=1e-12
    )
    assert {name: gain.p for name, gain in found.gains.items()} == pytest.approx(
        {"zero_shot": 5 * 2 / 2**10, DENSE: 2 * 2 / 2**4, "english_ceiling": 1 * 2 / 2**2}, abs=1e-12
    )


def test_a_gain_is_the_difference_of_the_means_with_a_paired_interval():
    """The gain over ``DENSE`` is 1/2 on 4 of 10 topics: a sample's mean is Binomial(10, 0.4) / 20."""
    gains = compare(RUNS, QRELS, PROTOCOL).gains
    assert {name: gain.difference for name, gain in gains.items()} == pytest.approx(
        {"zero_shot": 0.5, DENSE: 0.2, "english_ceiling": 0.1}, abs=1e-12
    )
    assert gains["zero_shot"].interval == Interval(0.5, 0.5)
    assert (gains[DENSE].interval.low, gains[DENSE].interval.high) == pytest.approx((0.05, 0.35), abs=1e-12)


def test_the_json_holds_both_families():
    said = compare(RUNS, QRELS, PROTOCOL).as_dict()
    assert list(said["p"]) == [DENSE, "student", "english_ceiling"]
    assert list(said["gains"]) == ["zero_shot", DENSE, "english_ceiling"]
    assert said["gains"][DENSE] == {
        "difference": pytest.approx(0.2),
        "interval": pytest.approx([0.05, 0.35]),
        "p": 0.25,
    }
    assert Gain.of(said["gains"][DENSE]) == compare(RUNS, QRELS, PROTOCOL).gains[DENSE]


def test_without_a_subject_there_is_no_gain():
    runs = {name: RUNS[name] for name in ("zero_shot", DENSE)}
    found = compare(runs, QRELS, PROTOCOL)
    assert (found.gains, found.p) == ({}, {DENSE: 2 / 2**6})


def test_every_pair_is_compared_once():
    assert compared_pairs(PROTOCOL, list(RUNS)) == [
        (DENSE, "zero_shot"),
        ("student", "zero_shot"),
        ("english_ceiling", "zero_shot"),
        ("student", DENSE),
        ("student", "english_ceiling"),
    ]


def test_a_recipe_names_the_baseline_that_all_systems_are_tested_against():
    """It differs from zero-shot on 8 topics, and from the other two on 2 each: the largest p of five, 2 / 4 twice."""
    config = replace(PROTOCOL, baseline="english_ceiling")
    assert compared_pairs(config, list(RUNS))[:3] == [(name, "english_ceiling") for name in list(RUNS)[:3]]
    found = compare(RUNS, QRELS, config)
    assert list(found.p) == ["zero_shot", DENSE, "student"]
    assert found.p == pytest.approx({"zero_shot": 4 * 2 / 2**8, DENSE: 1.0, "student": 1.0}, abs=1e-12)
    assert replace(PROTOCOL, baseline=DENSE).compared == PROTOCOL.compared


@pytest.mark.parametrize(
    ("baseline", "said"),
    [
        ("zero_shoot", "is 'zero_shoot', which is not compared; choose from zero_shot, dense:e5, student_start, "),
        ("", "student_start, student_bridge, english_ceiling"),
        ("student", "is 'student', which is what is tested; choose from zero_shot, "),
    ],
)
def test_a_baseline_that_is_not_compared_is_refused(baseline, said):
    with pytest.raises(UserError, match=rf"evaluation.baseline: .*{said}"):
        replace(PROTOCOL, baseline=baseline)


@pytest.mark.parametrize("name", ["p_value", "corrected"])
def test_a_protocol_with_a_test_of_its_own_says_what_it_does(name):
    with pytest.raises(UserError, match=rf"Own: overrides {name}, and its `test` still describes the inherited one"):
        type("Own", (EvaluationConfig,), {name: lambda self, *values: values[0]})
    type("Own", (EvaluationConfig,), {name: lambda self, *values: values[0], "test": "a sign test"})
