"""Transport solvers side by side: ``python -m benchmarks.ot``, under five minutes on two cores.

Every cell times all contestants in interleaved rounds, each with a batch of its own (but for the largest), because
batched solvers wait for their worst problem. Times are medians over the rounds, ratios medians of the rounds' ratios.
Losses are checked against a float64 solution of the first problems. A contestant is left out of a cell when its time in
a smaller one says it would take longer than a few seconds. The pairs are synthetic (``clouds``); ``--sentences`` takes
the token embeddings of real ones.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import cache, partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.clouds import clouds, cosine_problem
from benchmarks.ot_peers import LOOPED, PEERS, missing
from benchmarks.running import table
from benchmarks.sentences import embedded
from benchmarks.timing import LONGEST_SECONDS, keep_memory, timed
from optical.ot import TransportLoss, solve, transport_loss
from optical.ot.problem import Problem

TOLERANCE = 1e-4
_MOST_SWEEPS = 1000
_CHECKED = 32
# Batches in turn; among so many problems as in the largest batch the worst varies little.
_DRAWS = 5
_LARGE = 2048
OURS = ("compiled", "torch")
Pairs = Callable[[int, int], list[tuple[Tensor, Tensor, Tensor, Tensor]]]
"""Batches of so many sentence pairs of at most so many tokens: embeddings and masks of both sides."""
_RATIOS = (
    *(("compiled", peer) for peer in ("POT batch log", "POT batch", "POT loop", "torch.compile")),
    *(("torch", peer) for peer in ("POT batch log", "POT batch")),
)


@dataclass(frozen=True)
class Row:
    """One contestant in one cell."""

    batch: int
    length: int
    epsilon: float
    stop: str
    contestant: str
    rounds: tuple[float, ...]
    first: float | None
    marginal_error: float | None
    loss_error: float | None
    note: str = ""

    @property
    def seconds(self) -> float | None:
        """Median of the rounds; None for a contestant left out."""
        return median(self.rounds) if self.rounds else None


def main(arguments: list[str]) -> None:
    """Run the grid, print the tables, and write the rows where they are asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ot", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the cells of the promises only: B = 512, n = 32 and 64")
    parser.add_argument("--sentences", action="store_true", help="these cells on token embeddings of real sentences")
    parser.add_argument("--json", type=Path, help="write every row to this file")
    chosen = parser.parse_args(arguments)
    warnings.filterwarnings("ignore")
    keep_memory()
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads\n", flush=True)
    rows = []
    for name in PEERS:
        if reason := missing(name):
            print(f"left out: {name}: {reason}")
    pairs = partial(_pairs, embedded if chosen.sentences else clouds)
    rows += (losses := [row for length in (32, 64) for row in _measure_loss(pairs, length)])
    _print_cell(losses)
    for cell in _cells(chosen.quick or chosen.sentences):
        measured = _measure(pairs, *cell, history=rows)
        rows += measured
        _print_cell(measured)
    print("\n" + table(*summary(rows)))
    print("\n" + _checks_line(pairs))
    if chosen.json:
        chosen.json.write_text(json.dumps([asdict(row) for row in rows], indent=1))


def _cells(quick: bool) -> Iterator[tuple[int, int, float, float, int]]:
    """(batch, length, epsilon, tolerance, most sweeps)."""
    for length in (32, 64):
        yield 512, length, 0.1, 0.0, 50
    for batch in (512,) if quick else (64, 512, 2048):
        for length in (32, 64) if quick else (32, 64, 128):
            for epsilon in (0.1,) if quick else (0.5, 0.1, 0.05, 0.02):
                yield batch, length, epsilon, TOLERANCE, _MOST_SWEEPS


def _measure(
    pairs: Pairs, batch: int, length: int, epsilon: float, tolerance: float, sweeps: int, history: list[Row]
) -> list[Row]:
    problems = [cosine_problem(*drawn) for drawn in pairs(batch, length)]
    stop = f"to {tolerance:g}" if tolerance else f"{sweeps} sweeps"
    options = {"epsilon": epsilon, "tolerance": tolerance, "max_iterations": sweeps}
    contestants: dict[str, Callable[[int], Tensor]] = {
        name: partial(lambda backend, draw: solve(_of(problems, draw), backend=backend, **options).matrix, name)
        for name in OURS
    }
    left_out = {}
    for name, peer in PEERS.items():
        if missing(name):
            continue
        predicted = _predicted(history, name, batch, length, epsilon, stop)
        if predicted > LONGEST_SECONDS:
            left_out[name] = predicted
        else:
            contestants[name] = partial(lambda peer, draw: peer(_of(problems, draw), epsilon, tolerance, sweeps), peer)
    times = timed(contestants)
    reference = _reference(problems[0], epsilon)
    rows = []
    for name, time in times.items():
        scale = batch / min(batch, LOOPED) if name == "POT loop" else 1
        errors = _errors(problems[0], time.result, reference)
        rounds = tuple(seconds * scale for seconds in time.rounds)
        note = f"timed on {LOOPED} problems" if scale > 1 else ""
        rows.append(Row(batch, length, epsilon, stop, name, rounds, time.first * scale, *errors, note))
    for name, predicted in left_out.items():
        note = f"left out: about {predicted:.0f} s"
        rows.append(Row(batch, length, epsilon, stop, name, (), None, None, None, note))
    return rows


def _measure_loss(pairs: Pairs, length: int) -> list[Row]:
    """From embeddings to loss and gradient, beside POT's batched log solver without its cost and gradient."""
    problems = [cosine_problem(*batch) for batch in pairs(512, length)]
    drawn = [(source.detach().requires_grad_(), *rest) for source, *rest in pairs(512, length)]

    def loss(backend: str, draw: int) -> tuple[TransportLoss, Tensor]:
        source, *rest = _of(drawn, draw)
        result = transport_loss(source, *rest, epsilon=0.1, backend=backend)
        return result, *torch.autograd.grad(result.value.mean(), source)

    def peer(draw: int) -> Tensor:
        return PEERS["POT batch log"](_of(problems, draw), 0.1, TOLERANCE, _MOST_SWEEPS)

    times = timed({name: partial(loss, name) for name in OURS} | {"POT batch log": peer})
    rows = []
    for name, time in times.items():
        errors = _loss_errors(partial(loss, name, 0), *drawn[0]) if name in OURS else (None, None, "")
        rows.append(Row(512, length, 0.1, "loss and gradient", name, time.rounds, time.first, *errors))
    return rows


def _checks_line(pairs: Pairs) -> str:
    """What the checks before the kernel take of a call, at B = 512 and n = 32; masses and costs the kernel checks."""
    problem = cosine_problem(*_of(pairs(512, 32), 0))

    def made(_: int) -> Problem:
        return Problem(problem.cost, problem.a, problem.b)

    times = timed({"checks": made, "call": lambda draw: solve(made(draw), epsilon=0.1, backend="compiled").matrix})
    shares = [own / call for own, call in zip(times["checks"].rounds, times["call"].rounds, strict=True)]
    return f"checks: {1e6 * median(times['checks'].rounds):.1f} us, {100 * median(shares):.1f} % of a compiled call"


@cache
def _pairs(make: Callable[[int, int, int], tuple[Tensor, ...]], batch: int, length: int) -> list[tuple[Tensor, ...]]:
    """The batches that a cell's rounds take in turn."""
    return [make(batch, length, seed=seed) for seed in range(1 if batch == _LARGE else _DRAWS)]


def _of(batches: list, draw: int) -> Any:
    return batches[draw % len(batches)]


def _loss_errors(
    loss: Callable[[], tuple[TransportLoss, Tensor]], source: Tensor, target: Tensor, *masks: Tensor
) -> tuple[float, float, str]:
    """Worst marginal error, worst relative error of the loss, and that of the gradient (L2), beside float64.

    Most of it is what the tolerance leaves; ``tests/ot/kernels/test_fused.py`` has the errors at convergence.
    """
    found, gradient = loss()
    double = source.detach().double().requires_grad_(True)
    options = {"epsilon": 0.1, "tolerance": 1e-10, "max_iterations": 20_000, "backend": "torch"}
    exact = transport_loss(double, target.double(), *masks, **options)
    (reference,) = torch.autograd.grad(exact.value.mean(), double)
    value = ((found.value.double() - exact.value) / exact.value).abs().max()
    away = (gradient - reference).norm() / reference.norm()
    return float(found.marginal_error.max()), float(value), f"gradient within {float(away):.0e}"


def _predicted(history: list[Row], name: str, batch: int, length: int, epsilon: float, stop: str) -> float:
    """Seconds expected from the nearest smaller cell: cells of cost, and more sweeps for a smaller epsilon."""
    known = [row for row in history if row.contestant == name and row.stop == stop and row.epsilon >= epsilon]
    known = [row for row in known if row.batch <= batch and row.length <= length]
    expected = 0.0
    for row in known:
        if row.seconds is None:
            return LONGEST_SECONDS * 10
        share = 1 if name == "POT loop" else batch / row.batch
        loop = min(row.batch, LOOPED) / row.batch if name == "POT loop" else 1
        expected = max(expected, row.seconds * loop * share * (length / row.length) ** 2)
    return expected


def _reference(problem: Problem, epsilon: float) -> Tensor:
    first = Problem(*(side[:_CHECKED].double() for side in (problem.cost, problem.a, problem.b)))
    first = Problem(first.cost, *(side / side.sum(1, keepdim=True) for side in (first.a, first.b)))
    return solve(first, epsilon=epsilon, tolerance=1e-10, max_iterations=20_000, backend="torch").transport_cost


def _errors(problem: Problem, plan: Tensor, reference: Tensor | None) -> tuple[float, float | None]:
    """Worst L1 marginal error, and worst relative error of <P, C> on the first problems."""
    a, b = problem.a[: len(plan)], problem.b[: len(plan)]
    marginal = (plan.sum(2) - a).abs().sum(1) + (plan.sum(1) - b).abs().sum(1)
    if reference is None:
        return float(marginal.max()), None
    count = min(len(plan), len(reference))
    value = (plan[:count] * problem.real_cost[:count]).double().sum((1, 2))
    return float(marginal.max()), float(((value - reference[:count]) / reference[:count]).abs().max())


def summary(rows: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells of the table of all cells: our times, and how many times theirs the peers take."""
    columns = ["stop", "B", "n = m", "epsilon", *(f"{name} ms" for name in OURS), "first call"]
    columns += [f"{ours}, x {peer}" for ours, peer in _RATIOS] + ["error", "loss"]
    cells = []
    for cell, members in _by_cell(rows).items():
        found = {row.contestant: row for row in members}
        batch, length, epsilon, stop = cell
        times = [f"{1e3 * found[name].seconds:.2f}" for name in OURS] + [f"{1e3 * found[OURS[0]].first:.2f}"]
        ratios = [_ratio(found.get(peer), found[ours]) for ours, peer in _RATIOS]
        errors = [f"{value:.0e}" for value in (found[OURS[0]].marginal_error, found[OURS[0]].loss_error)]
        cells.append([stop, str(batch), str(length), f"{epsilon:g}", *times, *ratios, *errors])
    return columns, cells


def _ratio(peer: Row | None, ours: Row) -> str:
    if not peer or not peer.rounds or not ours.rounds:
        return "-"
    return f"{median(theirs / own for theirs, own in zip(peer.rounds, ours.rounds, strict=False)):.1f}"


def _by_cell(rows: list[Row]) -> dict[tuple, list[Row]]:
    cells: dict[tuple, list[Row]] = {}
    for row in rows:
        cells.setdefault((row.batch, row.length, row.epsilon, row.stop), []).append(row)
    return cells


def _print_cell(rows: list[Row]) -> None:
    for (batch, length, epsilon, stop), members in _by_cell(rows).items():
        print(f"\n**B = {batch}, n = m = {length}, epsilon {epsilon:g}, {stop}**\n")
        print("| solver | ms | first call | problems/s | x POT batch log | x POT batch | marginal error | loss error |")
        print("|---|---|---|---|---|---|---|---|")
        found = {row.contestant: row for row in members}
        for row in members:
            print(_line(row, [_ratio(found.get(peer), row) for peer in ("POT batch log", "POT batch")]), flush=True)


def _line(row: Row, ratios: list[str]) -> str:
    if row.seconds is None:
        return f"| {row.contestant} | {row.note} | | | | | | |"
    loss = "" if row.loss_error is None else f"{row.loss_error:.0e}"
    name = row.contestant + (f" ({row.note})" if row.note else "")
    times = [f"{1e3 * seconds:.2f}" for seconds in (row.seconds, row.first)]
    cells = (name, *times, f"{row.batch / row.seconds:,.0f}", *ratios)
    marginal = "" if row.marginal_error is None else f"{row.marginal_error:.0e}"
    return f"| {' | '.join(cells)} | {marginal} | {loss} |"


if __name__ == "__main__":
    main(sys.argv[1:])
