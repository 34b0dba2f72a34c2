"""One door to every solver: ``solve``."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from typing import Unpack

from optical.ot import backends, newton
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Method, Options, Settings

# From here on the sweeps of a problem are slower than Newton steps; those in the log domain are dear.
_SWEEPS_BEFORE_NEWTON = {"sinkhorn": 200, "unbalanced": 20, "partial": 20}


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
        problem: the batch, float32 or float64, on the CPU or a GPU.
        method: ``sinkhorn``, ``ipot``, ``unbalanced``, ``partial`` or ``exact``.
        start: potentials to start from, such as those of an earlier plan.
        **options: epsilon, tolerance, max_iterations and the other fields of ``Settings``.

    Returns:
        The plan, with the evidence of its convergence; problems that did not converge are marked so.

    Raises:
        UserError: a setting no solver can work with, or a backend that cannot solve this problem here.
    """
    return solve_with(problem, Settings(method=method, **options), start)


def solve_with(problem: Problem, settings: Settings, start: Potentials | None = None) -> Plan:
    """``solve`` for settings made beforehand."""
    sweeps = _solver(settings.method, backends.choose(problem, settings))
    if settings.method not in _SWEEPS_BEFORE_NEWTON or not settings.newton:
        return sweeps(problem, settings, start)
    return newton.finish(sweeps(problem, before_newton(settings), start), settings)


@cache
def before_newton(settings: Settings) -> Settings:
    """The settings of the sweeps alone: where Newton steps are to follow, the sweeps are few."""
    sweeps = _SWEEPS_BEFORE_NEWTON[settings.method]
    if not settings.newton or settings.max_iterations <= sweeps:
        return settings
    return replace(settings, max_iterations=sweeps)


def _solver(method: Method, backend: str) -> Callable[[Problem, Settings, Potentials | None], Plan]:
    if backend == "compiled":
        from optical.ot.compiled.backend import sinkhorn

        return sinkhorn
    return import_module(f"optical.ot.{method}").solve
