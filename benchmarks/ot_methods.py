"""Unbalanced and partial transport side by side: ``python -m benchmarks.ot_methods``, two minutes on two cores.

Ours with Newton steps, ours by sweeps alone, and POT pair by pair (its unbalanced solver with translation-invariant
steps, its partial one in the log domain), on the synthetic pairs of ``benchmarks.ot``; 1000 iterations each. POT's
stopping rules are its own, so the distance of the plans from those of a run to 1e-10 stands beside the time.
"""

import argparse
import json
import sys
import warnings
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
import ot
from torch import Tensor

from benchmarks.clouds import clouds, cosine_problem
from benchmarks.ot_peers import looped
from benchmarks.running import heading, table
from benchmarks.timing import keep_memory, timed
from optical.ot import Plan, Problem, solve

_TOLERANCE, _MOST = 1e-4, 1000
_METHODS: dict[str, dict[str, float]] = {"unbalanced": {"penalty": 1.0}, "partial": {"mass": 0.8}}
_LOOPED = 8
"""Problems that POT solves; its time is scaled to the batch."""


@dataclass(frozen=True)
class Row:
    """One contestant in one cell."""

    method: str
    length: int
    epsilon: float
    contestant: str
    milliseconds: float
    unconverged: int | None
    """Problems that ended without proof of convergence; POT's partial solver keeps none."""
    distance: float
    """Largest L1 distance of a plan from the exact one, among the problems that POT solves too."""


def pot_unbalanced(problem: Problem, epsilon: float, penalty: float) -> Tensor:
    """POT's translation-invariant Sinkhorn, pair by pair on true lengths (the first problems)."""
    solver = partial(ot.unbalanced.sinkhorn_unbalanced, method="sinkhorn_translation_invariant", reg_type="kl")
    return looped(
        problem, _LOOPED, lambda a, b, cost: solver(a, b, cost, epsilon, penalty, numItermax=_MOST, stopThr=1e-6)
    )


def pot_partial(problem: Problem, epsilon: float, mass: float) -> Tensor:
    """POT's partial solver, likewise. Its entropy has no reference measure: the cost takes a b^T in."""

    def one(a: np.ndarray, b: np.ndarray, cost: np.ndarray) -> np.ndarray:
        shifted = cost - epsilon * np.log(a[:, None] * b)
        solver = ot.partial.entropic_partial_wasserstein
        return solver(a, b, shifted, epsilon, mass, method="sinkhorn_log", numItermax=_MOST, stopThr=1e-6)

    return looped(problem, _LOOPED, one)


_POT = {"unbalanced": pot_unbalanced, "partial": pot_partial}


def cell(method: str, batch: int, length: int, epsilon: float) -> list[Row]:
    """All contestants on one batch."""
    problem, fields = cosine_problem(*clouds(batch, length)), _METHODS[method]
    run = partial(solve, method=method, epsilon=epsilon, max_iterations=_MOST, tolerance=_TOLERANCE, **fields)
    first = Problem(*(part[:_LOOPED].double() for part in (problem.cost, problem.a, problem.b)))
    exact = solve(first, method, epsilon=epsilon, tolerance=1e-10, max_iterations=10_000, **fields)
    if not exact.converged.all():
        raise RuntimeError(f"{method} at epsilon {epsilon}: the reference has not converged")
    contestants = {
        "with Newton": lambda _: run(problem),
        "sweeps alone": lambda _: run(problem, acceleration="none"),
        "POT": lambda _: _POT[method](problem, epsilon, **fields),
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        results = timed(contestants)
    rows = []
    for name, result in results.items():
        found, ours = result.result, isinstance(result.result, Plan)
        seconds = result.seconds if ours else result.seconds * batch / _LOOPED
        matrix = found.matrix[:_LOOPED].double() if ours else found
        distance = float((matrix - exact.matrix).abs().sum((1, 2)).max())
        unconverged = int((~found.converged).sum()) if ours else None
        rows.append(Row(method, length, epsilon, name, 1e3 * seconds, unconverged, distance))
    return rows


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ot_methods", description=__doc__)
    parser.add_argument("--batch", type=int, default=64, help="problems in a batch (8 or more)")
    parser.add_argument("--lengths", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--epsilons", type=float, nargs="+", default=[0.1, 0.05, 0.02, 0.01])
    parser.add_argument("--json", type=Path, help="write the rows to this file too")
    chosen = parser.parse_args(arguments)
    if chosen.batch < _LOOPED:
        parser.error(f"--batch is {chosen.batch}; at least {_LOOPED} problems are needed, which POT solves too")
    return chosen


def report(rows: list[Row]) -> str:
    """A markdown table, a line to each cell: milliseconds (problems left unconverged), distances, ratios to Newton."""
    names = list(dict.fromkeys(row.contestant for row in rows))
    cells = [rows[start : start + len(names)] for start in range(0, len(rows), len(names))]
    columns = ["method", "n = m", "epsilon", *(f"{name}, ms" for name in names), "L1 distances", "x sweeps", "x POT"]
    lines = []
    for first, *others in cells:
        left = [f" ({row.unconverged} left)" if row.unconverged else "" for row in (first, *others)]
        times = [f"{row.milliseconds:.0f}{note}" for row, note in zip((first, *others), left, strict=True)]
        distances = ", ".join(f"{row.distance:.0e}" for row in (first, *others))
        ratios = [f"{row.milliseconds / first.milliseconds:.1f}" for row in others]
        lines.append([first.method, str(first.length), f"{first.epsilon:g}", *times, distances, *ratios])
    return table(columns, lines)


def main(arguments: list[str]) -> None:
    """Measure and print."""
    chosen = parse(arguments)
    keep_memory()
    print(heading("benchmarks.ot_methods", arguments, ("torch", "pot", "numpy")), flush=True)
    rows = [
        row
        for method in _METHODS
        for length in chosen.lengths
        for epsilon in chosen.epsilons
        for row in cell(method, chosen.batch, length, epsilon)
    ]
    print(report(rows))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
