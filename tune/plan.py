"""The plan of a campaign: which trainings come next, given what became of those before. It knows no Ray.

Successive halving (Jamieson and Talwalkar 2016, arXiv:1502.07943) with one difference: a training of a rung is a whole
training of fewer steps, and its learning rate falls to zero at its own end. So all values of a rung are comparable. A
training that is cut off in the middle of a longer schedule is not: high rates look bad until their rate falls.

A plan depends on the results alone, not on their order in time. So a campaign that is interrupted, that loses a
machine, or that is extended later, ends with the table of an undisturbed one.
"""

import math
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

State = Literal["ended", "failed"]


@dataclass(frozen=True)
class Training:
    """One training of a campaign.

    Args:
        trial: number of the sampled point.
        max_steps: where it ends; None: after all epochs.
        seed: how much is added to the recipe's seed.
    """

    trial: int
    max_steps: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Result:
    """What became of a training.

    Args:
        state: ``failed``: it fails each time, for a reason of its own such as a loss that is not finite.
        dev: the dev measure of an ended one.
        reason: why it failed.
    """

    state: State
    dev: float = math.nan
    reason: str = ""


@dataclass(frozen=True)
class Ranked:
    """A trial of a finished campaign.

    Args:
        trial: its number.
        rung: the last rung that it was trained on, counted from 0.
        dev: its dev measure there; the mean over all seeds of a finalist.
        devs: the dev measure of each seed of a finalist, trained to the end; empty for others.
        reason: why its last training failed; empty if it did not.
    """

    trial: int
    rung: int
    dev: float
    devs: tuple[float, ...] = ()
    reason: str = ""


Plan = Generator[Sequence[Training], Mapping[Training, Result], list[Ranked]]
"""Trainings, rung by rung. A plan receives what became of them, and ends with all trials, the best first."""


def rungs(num_steps: int, first_share: float, keep: int) -> list[int | None]:
    """Steps of the trainings of each rung; the last one is the whole training.

    >>> rungs(96, 1 / 6, 3), rungs(96, 1.0, 3)
    ([16, 48, None], [None])
    """
    found: list[int | None] = []
    share = first_share
    while share < 1:
        found.append(max(1, round(share * num_steps)))
        share *= keep
    return [*dict.fromkeys(steps for steps in found if steps != num_steps), None]


def halving(trials: int, steps: Sequence[int | None], keep: int, finalists: int, seeds: int) -> Plan:
    """Train all trials on the first rung and one in ``keep`` of them on each next rung; the best with every seed.

    Args:
        trials: number of trials.
        steps: of the trainings of each rung.
        keep: one in so many trials, rounded up, goes on to the next rung.
        finalists: so many of the best trials are trained to the end with every seed, and compared by their mean.
        seeds: number of seeds.
    """
    ranked: dict[int, Ranked] = {}
    alive = list(range(trials))
    for rung, most in enumerate(steps):
        wanted = [Training(trial, most) for trial in alive]
        results = yield wanted
        for training in wanted:
            found = results[training]
            ranked[training.trial] = Ranked(training.trial, rung, found.dev, reason=found.reason)
        left = [trial for trial in sorted(alive, key=lambda trial: _place(ranked[trial])) if not ranked[trial].reason]
        alive = left[: math.ceil(len(alive) / keep)]
        if not alive:
            break
    best = [trial for trial in sorted(ranked, key=lambda trial: _place(ranked[trial])) if not ranked[trial].reason]
    chosen = best[:finalists]
    final = {trial: [Training(trial, steps[-1], seed) for seed in range(seeds)] for trial in chosen}
    if chosen:
        results = yield [training for trainings in final.values() for training in trainings]
        for trial, trainings in final.items():
            every = [results[training] for training in trainings]
            reason = next((result.reason for result in every if result.reason), "")
            devs = tuple(result.dev for result in every if not result.reason)
            mean = sum(devs) / len(devs) if devs else math.nan
            ranked[trial] = Ranked(trial, len(steps) - 1, mean, devs, reason)
    finished = {trial for trial in chosen if not ranked[trial].reason}
    return sorted(ranked.values(), key=lambda one: (one.trial not in finished, *_place(one)))


def _place(one: Ranked) -> tuple[bool, int, float, int]:
    """Sorts by rung, the farthest first, then by dev measure; failed trials come last."""
    return bool(one.reason), -one.rung, math.inf if math.isnan(one.dev) else -one.dev, one.trial
