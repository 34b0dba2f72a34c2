"""Exact transport without regularisation, by the network simplex of POT: the reference for the other methods.

    min over P >= 0 of  <P, C>   with  P 1 = a,  P^T 1 = b

This linear programme has an optimal plan with at most n + m - 1 non-zero cells. Its dual is max <a, f> + <b, g> with
f_i + g_j <= C_ij; if both values agree, both solutions are optimal. POT contains the solver of Bonneel, van de Panne,
Paris and Heidrich 2011 (doi:10.1145/2070781.2024192), which runs on the CPU in double precision, one problem at a time.
"""

import warnings
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np
import torch

from optical.errors import NumericalError, UserError
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings

_ROUNDING = 1e-5
# Result codes of POT's simplex; the others are infeasible and unbounded.
_OPTIMAL, _OUT_OF_PIVOTS = 1, 3


def solve(problem: Problem, settings: Settings, start: Potentials | None, max_pivots: int = 1_000_000) -> Plan:
    """Solve every problem to optimality, without regularisation.

    The plan's epsilon is 0 and its potentials are the solution of the dual. ``converged`` means that the simplex
    reached an optimum. ``iterations`` is 0, because POT does not count its pivots.

    Args:
        problem: the batch; both sides of a problem have the same mass.
        settings: unused, because the method has no settings.
        start: potentials of an earlier plan.
        max_pivots: most pivots of the simplex; a problem that needs more is not converged.

    Raises:
        UserError: the sides of a problem differ in mass, or POT is not installed.
        NumericalError: a cost between real tokens is not finite, or POT fails on a problem.
    """
    del settings
    cost, a, b = (tensor.detach().double().cpu() for tensor in (problem.real_cost, problem.a, problem.b))
    _check(cost, a, b)
    matrix, value = torch.zeros_like(cost), cost.new_zeros(len(cost))
    f, g = torch.full_like(a, -torch.inf), torch.full_like(b, -torch.inf)
    optimal = torch.zeros(len(cost), dtype=torch.bool)
    for row in range(len(cost)):
        i, j = a[row].nonzero().squeeze(1), b[row].nonzero().squeeze(1)
        guess = None if start is None else (start.f[row].cpu()[i].numpy(), start.g[row].cpu()[j].numpy())
        own, log = _simplex(row, a[row, i].numpy(), b[row, j].numpy(), cost[row][i][:, j].numpy(), guess, max_pivots)
        matrix[row, i.unsqueeze(1), j] = torch.from_numpy(own)
        f[row, i], g[row, j] = torch.from_numpy(log["u"]), torch.from_numpy(log["v"])
        value[row], optimal[row] = log["cost"], log["result_code"] == _OPTIMAL
    error = (matrix.sum(2) - a).abs().sum(1) + (matrix.sum(1) - b).abs().sum(1)
    none = torch.zeros_like(optimal, dtype=torch.int64)
    device = problem.cost.device
    error, iterations, converged = (part.to(device) for part in (error, none, optimal))
    return Plan(
        problem,
        f.to(device),
        g.to(device),
        torch.zeros_like(value).to(device),
        error,
        iterations,
        converged,
        given_matrix=matrix.to(problem.cost),
        given_cost=value.to(problem.cost),
    )


def _pot() -> ModuleType:
    """POT, imported on first use: the import takes more than a second, and no other method needs it."""
    try:
        return import_module("ot")
    except ImportError as error:
        what = f"needs POT, which cannot be imported ({error})"
        raise UserError(
            "method 'exact'", what, "install it (pip install pot), or use sinkhorn with a small epsilon"
        ) from None


def _check(cost: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    sides = torch.stack([a.sum(1), b.sum(1)])
    for row in ((sides[0] - sides[1]).abs() > _ROUNDING * sides[0]).nonzero().flatten().tolist():
        what = f"its sides have masses {sides[0, row]:.6g} and {sides[1, row]:.6g}, and an exact plan moves all mass"
        raise UserError(f"problem {row}", what, "normalise the marginals, or use unbalanced or partial")
    for row in (~cost.isfinite()).any(2).any(1).nonzero().flatten().tolist():
        what = "the cost between two of its tokens is not finite"
        raise NumericalError(f"problem {row}", what, "check for overflow in the embeddings or the cost")


def _simplex(
    row: int, a: np.ndarray, b: np.ndarray, cost: np.ndarray, guess: tuple[np.ndarray, ...] | None, max_pivots: int
) -> tuple[np.ndarray, dict[str, Any]]:
    """POT's plan of one problem, and its log."""
    ot = _pot()
    with warnings.catch_warnings():
        # POT also warns; its result code says the same.
        warnings.simplefilter("ignore")
        plan, log = ot.emd(a, b, cost, max_pivots, log=True, check_marginals=False, potentials_init=guess)
    if log["result_code"] not in (_OPTIMAL, _OUT_OF_PIVOTS):
        raise NumericalError(f"problem {row}", f"POT finds no exact plan: {log['warning']}", "report it with its costs")
    return plan, log
