"""Timing contestants side by side: interleaved rounds, medians, and a budget."""

import ctypes
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_SECONDS = 1.5
_ROUNDS, _LEAST_ROUNDS = 7, 3
_BUDGET_SECONDS = 0.7
_TURN_SECONDS = 0.01
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Timed:
    """What a contestant took, and what it returned in the first place."""

    rounds: tuple[float, ...]
    """Seconds of a call, in every round it took part in."""
    first: float
    """Median seconds of a round's first call, right after the others had the caches to themselves."""
    result: object

    @property
    def seconds(self) -> float:
        """Median of the rounds."""
        return statistics.median(self.rounds)


def keep_memory() -> None:
    """Let glibc keep what was freed, as the allocators that people preload for torch do.

    Otherwise results of some megabytes come in pages fresh from the system, and zeroing them, not solving, would be
    most of what is timed: of the peers as well.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for parameter in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            libc.mallopt(parameter, _KEPT_BYTES)


def timed(contestants: dict[str, Callable[[int], object]]) -> dict[str, Timed]:
    """Run each contestant once to warm up, then all of them in turn, round after round.

    They are told the round, so that each round may have a draw of its own; the warm-up is round 0. In its turn a
    contestant is called again and again for some milliseconds, as ``timeit`` would: the first of these calls, with what
    the others left in the caches, is told apart. A contestant stops after three rounds once it has used its share of
    time, so that a slow one is run less often. Interleaving lets a busy moment of the machine fall on everybody.
    """
    rounds: dict[str, list[float]] = {name: [] for name in contestants}
    first: dict[str, list[float]] = {name: [] for name in contestants}
    results = {name: run(0) for name, run in contestants.items()}
    for number in range(_ROUNDS):
        for name, run in contestants.items():
            if number >= _LEAST_ROUNDS and sum(first[name]) > _BUDGET_SECONDS:
                continue
            first[name].append(_seconds(run, number, 1))
            more = int(_TURN_SECONDS / first[name][-1])
            rounds[name].append(_seconds(run, number, more) if more else first[name][-1])
    return {name: Timed(tuple(rounds[name]), statistics.median(first[name]), results[name]) for name in contestants}


def _seconds(run: Callable[[int], object], number: int, calls: int) -> float:
    started = time.perf_counter()
    for _ in range(calls):
        run(number)
    return (time.perf_counter() - started) / calls
