"""One door to every solver: ``solve``."""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Unpack

from optical.errors import NotFiniteError, UserError
from optical.ot import backends, checks, newton
from optical.ot.problem import NEVER, Plan, Potentials, Problem
from optical.ot.settings import Method, Options, Settings

# From here on the sweeps of a problem are slower than Newton steps; those in the log domain are dear.
_SWEEPS_BEFORE_NEWTON = {"sinkhorn": 200, "unbalanced": 20, "partial": 20}
# Methods that move all mass of both sides, and those that leave cells of infinite cost empty.
_BALANCED = ("sinkhorn", "ipot", "exact")
_SHUN_INFINITY = ("sinkhorn", "unbalanced")


def solve(
    problem: Problem,
    method: Method = "sinkhorn",
    *,
    start: Potentials | None = None,
    **options: Unpack[Options],
) -> Plan:
    """Solve a batch of transport problems, each stopping by itself.

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
        The plan, with the evidence of its convergence; problems that did not converge are marked so.

    Raises:
        UserError: a setting no solver can work with; a start of another shape; masses that are negative, not finite, or
            none at all; costs that are NaN or -inf; a token all of whose costs are infinite; sides of different mass
            where all mass is moved; or a backend that cannot solve this problem here.
    """
    return solve_with(problem, Settings(method=method, **options), start)


def solve_with(problem: Problem, settings: Settings, start: Potentials | None = None) -> Plan:
    """``solve`` for settings made beforehand."""
    _check_start(problem, start)
    ready = {"settings": before_newton(settings), "start": start}
    if backends.choose(problem, settings) == "compiled":
        from optical.ot.compiled.backend import sinkhorn

        # The kernel reads masses and costs anyway: where they are not what they should be, <P, C> is no number.
        plan = sinkhorn(problem, **ready)
        if math.isfinite(float(plan.transport_cost.sum())):
            return _finished(plan, settings)
    allowed = _checked(problem, settings)
    plan = _finished(_solver(settings.method)(allowed, **ready), settings)
    if allowed is problem:
        return plan
    # Single precision may leave 1e-38 in a cell that is never used.
    return replace(plan, given_matrix=plan.matrix.masked_fill(problem.cost.isposinf(), 0))


def _check_start(problem: Problem, start: Potentials | None) -> None:
    if start is None:
        return
    given = {"a": problem.a, "b": problem.b, "start.f": start.f, "start.g": start.g}
    source, target = "batch source", "batch target"
    checks.arguments(given, {"a": source, "b": target, "start.f": source, "start.g": target})
    for name in ("start.f", "start.g"):
        if given[name].isnan().any():
            raise NotFiniteError(name, "holds NaN", "give the potentials of a plan, or leave start out")


def _checked(problem: Problem, settings: Settings) -> Problem:
    """The problem once masses and costs are right, with a cost that is never paid in the place of infinite ones."""
    checks.masses(problem.a, problem.b)
    if settings.method in _BALANCED:
        checks.balance(problem.a, problem.b, settings.tolerance)
    if not checks.costs(problem.cost, problem.a, problem.b):
        return problem
    if settings.method not in _SHUN_INFINITY:
        what = f"holds infinite costs, which the method {settings.method!r} cannot shun"
        raise UserError("cost", what, f"use {' or '.join(_SHUN_INFINITY)}, or large finite costs")
    return replace(problem, cost=problem.cost.clamp_max(NEVER))


def _finished(plan: Plan, settings: Settings) -> Plan:
    return newton.finish(plan, settings) if _newton_follows(settings) else plan


def _newton_follows(settings: Settings) -> bool:
    return settings.newton and settings.method in _SWEEPS_BEFORE_NEWTON


@cache
def before_newton(settings: Settings) -> Settings:
    """The settings of the sweeps alone: where Newton steps are to follow, the sweeps are few."""
    if not _newton_follows(settings):
        return settings
    return replace(settings, max_iterations=min(settings.max_iterations, _SWEEPS_BEFORE_NEWTON[settings.method]))


def _solver(method: Method) -> Callable[..., Plan]:
    return import_module(f"optical.ot.{method}").solve
