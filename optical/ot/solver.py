"""One door to every solver: ``solve``."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

from optical.ot import backends, newton
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Acceleration, Backend, Method, Settings

# From here on the sweeps of a problem are slower than Newton steps.
_SWEEPS_BEFORE_NEWTON = 200


def solve(
    problem: Problem,
    method: Method = "sinkhorn",
    *,
    epsilon: float = 0.1,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
    acceleration: Acceleration = "auto",
    penalty: float = 1.0,
    mass: float = 1.0,
    start: Potentials | None = None,
    backend: Backend = "auto",
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
        epsilon: regularisation in the cost's units; for ``ipot`` the proximal step beta.
        tolerance: L1 marginal error at which a problem counts as converged; 0 runs every sweep allowed.
        max_iterations: most sweeps, Newton steps included.
        acceleration: ``auto``, ``none``, ``overrelaxation`` or ``newton`` (see ``Settings``).
        penalty: rho of ``unbalanced``, in the cost's units.
        mass: total mass moved by ``partial``.
        start: potentials to start from, such as those of an earlier plan.
        backend: ``auto``, ``torch`` or ``compiled``.

    Returns:
        The plan, with the evidence of its convergence; problems that did not converge are marked so.

    Raises:
        UserError: a setting no solver can work with, or a backend that cannot solve this problem here.
    """
    settings = Settings(
        method=method,
        epsilon=epsilon,
        tolerance=tolerance,
        max_iterations=max_iterations,
        acceleration=acceleration,
        penalty=penalty,
        mass=mass,
        backend=backend,
    )
    return solve_with(problem, settings, start)


def solve_with(problem: Problem, settings: Settings, start: Potentials | None = None) -> Plan:
    """``solve`` for settings made beforehand."""
    backend = backends.choose(problem, settings)
    if settings.method != "sinkhorn":
        return import_module(f"optical.ot.{settings.method}").solve(problem, settings, start)
    sweeps = _sinkhorn(backend)
    if not settings.newton:
        return sweeps(problem, settings, start)
    few = replace(settings, max_iterations=min(settings.max_iterations, _SWEEPS_BEFORE_NEWTON))
    return newton.finish(sweeps(problem, few, start), settings)


def _sinkhorn(backend: str) -> Callable[[Problem, Settings, Potentials | None], Plan]:
    if backend == "compiled":
        from optical.ot.compiled.backend import sinkhorn

        return sinkhorn
    from optical.ot.sinkhorn import solve as sinkhorn

    return sinkhorn
