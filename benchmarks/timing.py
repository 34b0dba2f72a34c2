"""Timing contestants side by side: interleaved rounds, medians, and a budget."""

import ctypes
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_SECONDS = 1.5
_ROUNDS = 7
_BUDGET_SECONDS = 0.7
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT_BYTES = 2**30


@dataclass(frozen=True)
class Timed:
    """Median seconds of a contestant, and what it returned last."""

    seconds: float
    result: object


def keep_memory() -> None:
    """Let glibc keep what was freed, as the allocators that people preload for torch do.

    Otherwise results of some megabytes come in pages fresh from the system, and zeroing them, not solving, would be
    most of what is timed: of the peers as well.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        for parameter in (_TRIM_THRESHOLD, _MMAP_THRESHOLD):
            libc.mallopt(parameter, _KEPT_BYTES)


def timed(contestants: dict[str, Callable[[], object]]) -> dict[str, Timed]:
    """Run each contestant once to warm up, then all of them in turn, round after round.

    A contestant stops taking part once it has used its share of time, so that a slow one is run less often.
    Interleaving lets a busy moment of the machine fall on everybody.
    """
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    results: dict[str, object] = {}
    for name, run in contestants.items():
        results[name] = run()
    for _ in range(_ROUNDS):
        for name, run in contestants.items():
            if sum(seconds[name]) > _BUDGET_SECONDS:
                continue
            started = time.perf_counter()
            results[name] = run()
            seconds[name].append(time.perf_counter() - started)
    return {name: Timed(statistics.median(seconds[name]), results[name]) for name in contestants}
