"""The plan of a campaign, with results that are given instead of trained."""

import math
import random
from collections.abc import Sequence

import pytest

from tune.plan import Plan, Ranked, Result, Training, halving, rungs


def carried_out(plan: Plan, value, trained: dict[Training, Result] | None = None) -> tuple[list[Ranked], list]:
    """The end of a plan and the trainings of each rung; ``trained`` holds results that are there already."""
    known = {} if trained is None else trained
    stages, wanted = [], next(plan)
    while True:
        stages.append([training for training in wanted if training not in known])
        known.update({training: value(training) for training in stages[-1]})
        try:
            wanted = plan.send({training: known[training] for training in wanted})
        except StopIteration as end:
            return end.value, stages


def by_trial(values: Sequence[float]):
    return lambda training: Result("ended", values[training.trial])


def test_six_trials_by_hand():
    # Steps 16, 48, all: six, two, one trial. Then both of the two finalists with three seeds.
    values = [0.1, 0.5, 0.3, 0.6, 0.2, 0.4]
    ranked, stages = carried_out(halving(6, [16, 48, None], 3, 2, 3), by_trial(values))
    assert stages[0] == [Training(trial, 16) for trial in range(6)]
    assert stages[1] == [Training(3, 48), Training(1, 48)]
    assert stages[2] == [Training(3)]
    # The whole training of trial 3 with the first seed is there already.
    assert stages[3] == [Training(3, None, 1), Training(3, None, 2), *(Training(1, None, seed) for seed in range(3))]
    assert [one.trial for one in ranked] == [3, 1, 5, 2, 4, 0]
    assert [one.rung for one in ranked] == [2, 2, 0, 0, 0, 0]
    assert ranked[0].devs == pytest.approx((0.6, 0.6, 0.6)) and ranked[2].devs == ()


def test_finalists_are_compared_by_the_mean_over_all_seeds():
    lucky = {(0, 0): 0.9, (0, 1): 0.1, (0, 2): 0.1, (1, 0): 0.8, (1, 1): 0.8, (1, 2): 0.8}
    ranked, _ = carried_out(
        halving(2, [None], 3, 2, 3), lambda training: Result("ended", lucky[training.trial, training.seed])
    )
    assert [(one.trial, round(one.dev, 3)) for one in ranked] == [(1, 0.8), (0, 0.367)]


def test_more_trials_train_only_what_is_missing_and_end_as_if_they_had_been_asked_for_at_first():
    draw = random.Random(0)
    for _ in range(200):
        values = [draw.random() for _ in range(9)]
        few, many = draw.randint(1, 8), 9
        known: dict[Training, Result] = {}
        carried_out(halving(few, [10, 30, None], 3, 2, 2), by_trial(values), known)
        before = set(known)
        ranked, stages = carried_out(halving(many, [10, 30, None], 3, 2, 2), by_trial(values), known)
        assert ranked == carried_out(halving(many, [10, 30, None], 3, 2, 2), by_trial(values))[0]
        assert not before.intersection(training for stage in stages for training in stage)


def test_an_interrupted_campaign_ends_with_the_table_of_an_undisturbed_one():
    draw = random.Random(1)
    for _ in range(200):
        value = by_trial([draw.random() for _ in range(6)])
        undisturbed, stages = carried_out(halving(6, [16, 48, None], 3, 2, 3), value)
        known: dict[Training, Result] = {}
        found = None
        while found is None:
            found = interrupted(halving(6, [16, 48, None], 3, 2, 3), value, known, draw.randint(1, 4))
        assert found == undisturbed
        assert len(known) == sum(map(len, stages))


def interrupted(plan: Plan, value, known: dict[Training, Result], most: int) -> list[Ranked] | None:
    """The end of a plan, or None after so many trainings; ``known`` keeps what was trained."""
    wanted = next(plan)
    while True:
        for training in wanted:
            if training not in known:
                if most == 0:
                    return None
                most -= 1
                known[training] = value(training)
        try:
            wanted = plan.send({training: known[training] for training in wanted})
        except StopIteration as end:
            return end.value


def test_a_trial_that_fails_never_wins_and_its_reason_is_kept():
    def value(training: Training) -> Result:
        return Result("failed", reason="not finite") if training.trial == 1 else Result("ended", 0.1 * training.trial)

    ranked, _ = carried_out(halving(4, [10, None], 2, 2, 1), value)
    assert [one.trial for one in ranked] == [3, 2, 0, 1]
    assert ranked[-1].reason == "not finite" and math.isnan(ranked[-1].dev)


def test_a_finalist_of_which_one_seed_fails_is_no_winner():
    def value(training: Training) -> Result:
        if (training.trial, training.seed) == (1, 1):
            return Result("failed", reason="not finite")
        return Result("ended", 0.5 + 0.1 * training.trial)

    ranked, _ = carried_out(halving(2, [None], 2, 2, 2), value)
    assert [one.trial for one in ranked] == [0, 1]
    assert (ranked[1].devs, ranked[1].reason) == ((0.6,), "not finite")


def test_where_all_fail_the_first_place_says_why():
    ranked, stages = carried_out(halving(3, [10, None], 3, 2, 3), lambda _: Result("failed", reason="bad"))
    assert [one.reason for one in ranked] == ["bad"] * 3
    assert len(stages) == 1


@pytest.mark.parametrize(
    ("steps", "share", "keep", "expected"),
    [
        (96, 1 / 6, 3, [16, 48, None]),
        (96, 1.0, 3, [None]),
        (2, 1 / 6, 3, [1, None]),
        (1, 1 / 6, 3, [None]),
        (90, 1 / 3, 3, [30, None]),
    ],
)
def test_steps_of_each_rung(steps, share, keep, expected):
    assert rungs(steps, share, keep) == expected


@pytest.mark.parametrize("trials", [6, 12, 27])
def test_the_rungs_take_at_most_half_the_steps_of_the_grid(trials):
    _, stages = carried_out(halving(trials, [16, 48, None], 3, 1, 1), by_trial(range(trials)))
    taken = sum(training.max_steps or 96 for stage in stages for training in stage)
    assert taken <= 0.5 * trials * 96
