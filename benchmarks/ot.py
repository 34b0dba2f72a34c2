"""Transport solvers side by side: ``python -m benchmarks.ot``, under five minutes on two cores.

Every cell times all contestants on the same problems in interleaved rounds and takes medians; ratios are to POT's
batched solvers in the same cell. Losses are checked against a float64 solution of the first problems. A contestant is
left out of a cell when its time in a smaller one says it would take longer than a few seconds. The pairs are synthetic
(``clouds``); ``--sentences`` takes the token embeddings of real ones, whose worst problems are harder.
"""

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

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
OURS = ("compiled", "torch")
Pairs = Callable[[int, int], tuple[Tensor, Tensor, Tensor, Tensor]]
"""Makes so many sentence pairs of at most so many tokens: embeddings and masks of both sides."""
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
    seconds: float | None
    problems_per_second: float | None
    marginal_error: float | None
    loss_error: float | None
    note: str = ""


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
    pairs = embedded if chosen.sentences else clouds
    for cell in _cells(chosen.quick or chosen.sentences):
        measured = _measure(pairs, *cell, history=rows)
        rows += measured
        _print_cell(measured)
    rows += (losses := [row for length in (32, 64) for row in _measure_loss(pairs, length)])
    _print_cell(losses)
    print("\n" + table(*summary(rows)))
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
    problem = cosine_problem(*pairs(batch, length))
    stop = f"to {tolerance:g}" if tolerance else f"{sweeps} sweeps"
    options = {"epsilon": epsilon, "tolerance": tolerance, "max_iterations": sweeps}
    contestants: dict[str, Callable[[], Tensor]] = {
        name: partial(lambda backend: solve(problem, backend=backend, **options).matrix, name) for name in OURS
    }
    left_out = {}
    for name, peer in PEERS.items():
        if missing(name):
            continue
        predicted = _predicted(history, name, batch, length, epsilon, stop)
        if predicted > LONGEST_SECONDS:
            left_out[name] = predicted
        else:
            contestants[name] = partial(peer, problem, epsilon, tolerance, sweeps)
    times = timed(contestants)
    reference = _reference(problem, epsilon)
    rows = []
    for name, time in times.items():
        scale = batch / min(batch, LOOPED) if name == "POT loop" else 1
        marginal, loss = _errors(problem, time.result, reference)
        seconds = time.seconds * scale
        note = f"timed on {LOOPED} problems" if scale > 1 else ""
        rows.append(Row(batch, length, epsilon, stop, name, seconds, batch / seconds, marginal, loss, note))
    for name, predicted in left_out.items():
        note = f"left out: about {predicted:.0f} s"
        rows.append(Row(batch, length, epsilon, stop, name, None, None, None, None, note))
    return rows


def _measure_loss(pairs: Pairs, length: int) -> list[Row]:
    """From embeddings to loss and gradient, beside POT's batched log solver without its cost and gradient."""
    source, target, *masks = pairs(512, length)
    source.requires_grad_(True)

    def loss(backend: str) -> TransportLoss:
        source.grad = None
        result = transport_loss(source, target, *masks, epsilon=0.1, backend=backend)
        result.value.mean().backward()
        return result

    problem = cosine_problem(source.detach(), target, *masks)
    contestants: dict[str, Callable[[], object]] = {name: partial(loss, name) for name in OURS}
    contestants["POT batch log"] = partial(PEERS["POT batch log"], problem, 0.1, TOLERANCE, _MOST_SWEEPS)
    times = timed(contestants)
    stop = "loss and gradient"
    rows = []
    for name, time in times.items():
        errors = _loss_errors(partial(loss, name), source, target, masks) if name in OURS else (None, None, "")
        rows.append(Row(512, length, 0.1, stop, name, time.seconds, 512 / time.seconds, *errors))
    return rows


def _loss_errors(
    loss: Callable[[], TransportLoss], source: Tensor, target: Tensor, masks: list[Tensor]
) -> tuple[float, float, str]:
    """Worst marginal error, worst relative error of the loss, and that of the gradient (L2), beside float64.

    Most of it is what the tolerance leaves; ``tests/ot/test_fused.py`` has the errors at convergence.
    """
    found = loss()
    gradient = source.grad.double()
    double = source.detach().double().requires_grad_(True)
    options = {"epsilon": 0.1, "tolerance": 1e-10, "max_iterations": 20_000, "backend": "torch"}
    exact = transport_loss(double, target.double(), *masks, **options)
    exact.value.mean().backward()
    value = ((found.value.double() - exact.value) / exact.value).abs().max()
    away = (gradient - double.grad).norm() / double.grad.norm()
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
    columns = ["stop", "B", "n = m", "epsilon", *(f"{name} ms" for name in OURS)]
    columns += [f"{ours}, x {peer}" for ours, peer in _RATIOS] + ["error", "loss"]
    cells = []
    for cell, members in _by_cell(rows).items():
        found = {row.contestant: row for row in members}
        batch, length, epsilon, stop = cell
        times = [f"{1e3 * found[name].seconds:.2f}" for name in OURS]
        ratios = [_ratio(found.get(peer), found[ours]) for ours, peer in _RATIOS]
        errors = [f"{value:.0e}" for value in (found[OURS[0]].marginal_error, found[OURS[0]].loss_error)]
        cells.append([stop, str(batch), str(length), f"{epsilon:g}", *times, *ratios, *errors])
    return columns, cells


def _ratio(peer: Row | None, ours: Row) -> str:
    return f"{peer.seconds / ours.seconds:.1f}" if peer and peer.seconds else "-"


def _by_cell(rows: list[Row]) -> dict[tuple, list[Row]]:
    cells: dict[tuple, list[Row]] = {}
    for row in rows:
        cells.setdefault((row.batch, row.length, row.epsilon, row.stop), []).append(row)
    return cells


def _print_cell(rows: list[Row]) -> None:
    for (batch, length, epsilon, stop), members in _by_cell(rows).items():
        print(f"\n**B = {batch}, n = m = {length}, epsilon {epsilon:g}, {stop}**\n")
        print("| solver | ms | problems/s | x POT batch log | x POT batch | marginal error | loss error |")
        print("|---|---|---|---|---|---|---|")
        seconds = {row.contestant: row.seconds for row in members}
        for row in members:
            print(_line(row, seconds.get("POT batch log"), seconds.get("POT batch")), flush=True)


def _line(row: Row, log: float | None, scaling: float | None) -> str:
    if row.seconds is None:
        return f"| {row.contestant} | {row.note} | | | | | |"
    ratios = [f"{peer / row.seconds:.1f}" if peer else "" for peer in (log, scaling)]
    loss = "" if row.loss_error is None else f"{row.loss_error:.0e}"
    name = row.contestant + (f" ({row.note})" if row.note else "")
    cells = (name, f"{1e3 * row.seconds:.2f}", f"{row.problems_per_second:,.0f}", *ratios)
    marginal = "" if row.marginal_error is None else f"{row.marginal_error:.0e}"
    return f"| {' | '.join(cells)} | {marginal} | {loss} |"


if __name__ == "__main__":
    main(sys.argv[1:])
