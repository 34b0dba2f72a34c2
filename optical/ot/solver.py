"""``solve``: one function for every method and backend."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Unpack

import torch
from torch import Tensor

from optical.errors import NotFiniteError, UserError
from optical.ot import checks
from optical.ot.kernels import backends
from optical.ot.problem import LARGE_COST, Plan, Potentials, Problem
from optical.ot.settings import Method, Options, Settings
from optical.ot.sinkhorn import newton

# After so many sweeps Newton steps are faster; log-domain sweeps are slow, so their number is smaller.
_SWEEPS_BEFORE_NEWTON = {"sinkhorn": 200, "unbalanced": 20, "partial": 20}
# Methods that move all mass of both sides, and methods that allow infinite costs.
_BALANCED = ("sinkhorn", "ipot", "exact")
_ALLOW_INFINITE = ("sinkhorn", "unbalanced")


def solve(
    problem: Problem,
    method: Method = "sinkhorn",
    *,
    start: Potentials | None = None,
    **options: Unpack[Options],
) -> Plan:
    """Solve a batch of transport problems; each stops on its own.

    >>> import torch
    >>> C = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> half = torch.full((1, 2), 0.5)
    >>> plan = solve(Problem(C, half, half), epsilon=1.0)
    >>> round(plan.matrix[0, 0, 0].item(), 5), plan.converged.item()
    (0.36553, True)

    Args:
        problem: the batch, on the CPU or a GPU.
        method: ``sinkhorn``, ``ipot``, ``unbalanced``, ``partial`` or ``exact``.
        start: potentials to start from, such as those of an earlier plan.
        **options: epsilon, tolerance, max_iterations and the other fields of ``Settings``.

    Returns:
        The plan; its ``converged`` marks the problems that did not converge.

    Raises:
        UserError: an impossible setting; a start of another shape; masses that are negative, not finite, or all zero;
            costs that are NaN or -inf; a token whose costs are all infinite; sides of different mass where all mass
            is moved; or a backend that cannot solve this problem here.
    """
    return solve_with(problem, Settings(method=method, **options), start)


def solve_with(problem: Problem, settings: Settings, start: Potentials | None = None) -> Plan:
    """``solve`` with its settings as one object."""
    sweep_settings, start = before_newton(settings), _bounded_start(problem, start, settings)
    if backends.choose(problem, settings) == "compiled":
        from optical.ot.kernels.compiled.backend import sinkhorn

        # The kernel checks masses and costs while it reads them: <P, C> is NaN if they are invalid.
        plan = sinkhorn(problem, sweep_settings, start)
        if math.isfinite(float(plan.transport_cost.sum())):
            return _finished(plan, settings)
    allowed = _checked(problem, settings)
    plan = _finished(_solver(settings.method)(allowed, sweep_settings, start), settings)
    if allowed is problem:
        return plan
    # Single precision may leave 1e-38 in a cell of infinite cost; multiplied by 1e30 it would count.
    infinite = problem.cost.isposinf()
    matrix = plan.matrix.masked_fill(infinite, 0)
    cost = (matrix * problem.cost.masked_fill(infinite | ~problem.real, 0)).sum((1, 2))
    return replace(plan, given_matrix=matrix, given_cost=cost)


def _bounded_start(problem: Problem, start: Potentials | None, settings: Settings) -> Potentials | None:
    """The start in double precision, clamped to the range that an optimum can have.

    Larger potentials would lose the costs by rounding, and any plan would seem to be optimal. If all mass is moved, a
    constant can move from g to f, so g is centred first. f is then computed from g.
    """
    if start is None or settings.method in ("exact", "ipot"):
        return start
    check_start(problem, start)
    if not problem.cost.numel():
        return start
    real = problem.b > 0
    cost = problem.real_cost.double().nan_to_num(0, 0, 0)
    spread, g = settings.epsilon * _range(problem.b.double().log(), real), start.g.double().masked_fill(~real, 0)
    if settings.method == "sinkhorn":
        b = problem.b.double()
        g = g - (g * b).sum(1, keepdim=True) / b.sum(1, keepdim=True).clamp_min(1e-300)
        farthest = cost.amax((1, 2)) - cost.amin((1, 2)) + spread
    else:
        farthest = 1e3 * (cost.abs().amax((1, 2)) + settings.epsilon + settings.penalty) + spread
    g = g.clamp(-farthest.unsqueeze(1), farthest.unsqueeze(1))
    f = (cost - g.unsqueeze(1)).masked_fill(~problem.real | ~problem.cost.isfinite(), torch.inf).amin(2)
    minus = float("-inf")
    return Potentials(f.masked_fill(problem.a <= 0, minus), g.masked_fill(~real, minus))


def _range(values: Tensor, real: Tensor) -> Tensor:
    lowest = values.masked_fill(~real, torch.inf).amin(1)
    return (values.masked_fill(~real, -torch.inf).amax(1) - lowest).clamp_min(0).nan_to_num(0, 0, 0)


def check_start(problem: Problem, start: Potentials) -> None:
    """Refuse potentials of other shapes than the problem's, or that are not finite on its real tokens.

    Raises:
        UserError: names the potential and the shapes, or the problem and the token.
    """
    given = {"a": problem.a, "b": problem.b, "start.f": start.f, "start.g": start.g}
    source, target = "batch source", "batch target"
    checks.arguments(given, {"a": source, "b": target, "start.f": source, "start.g": target})
    for name, mass in (("start.f", problem.a), ("start.g", problem.b)):
        for row, token in (~given[name].isfinite() & (mass > 0)).nonzero()[:1].tolist():
            what = f"the potential of its token {token} is {float(given[name][row, token])}"
            raise NotFiniteError(f"{name}, problem {row}", what, "give the potentials of a plan, or leave start out")


def _checked(problem: Problem, settings: Settings) -> Problem:
    """The problem with checked masses and costs, and with infinite costs replaced by large ones."""
    checks.masses(problem.a, problem.b)
    if settings.method in _BALANCED:
        checks.balance(problem.a, problem.b, settings.tolerance)
    if not checks.costs(problem.cost, problem.a, problem.b):
        return problem
    if settings.method not in _ALLOW_INFINITE:
        what = f"holds infinite costs, which the method {settings.method!r} does not support"
        raise UserError("cost", what, f"use {' or '.join(_ALLOW_INFINITE)}, or large finite costs")
    if settings.epsilon > LARGE_COST / 1e10:
        what = f"is {settings.epsilon}, too large to tell infinite costs from others"
        raise UserError("epsilon", what, "set one in the range of the finite costs")
    return replace(problem, cost=problem.cost.clamp_max(LARGE_COST))


def _finished(plan: Plan, settings: Settings) -> Plan:
    return newton.finish(plan, settings) if _newton_follows(settings) else plan


def _newton_follows(settings: Settings) -> bool:
    return settings.newton and settings.method in _SWEEPS_BEFORE_NEWTON


@cache
def before_newton(settings: Settings) -> Settings:
    """The settings of the sweeps: if Newton steps follow, the sweeps are few."""
    if not _newton_follows(settings):
        return settings
    return replace(settings, max_iterations=min(settings.max_iterations, _SWEEPS_BEFORE_NEWTON[settings.method]))


def _solver(method: Method) -> Callable[..., Plan]:
    return import_module(f"optical.ot.methods.{method}").solve
