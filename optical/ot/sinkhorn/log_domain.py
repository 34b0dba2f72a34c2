"""Shared by the log-domain methods: the soft minimum, and sweeps that stop for each problem on its own.

Every entropic method scales the rows and columns of exp(-C / epsilon). In terms of potentials, the scaling of a row is
a soft minimum over its costs, which neither overflows nor underflows at any epsilon. Potentials here exclude the
masses, P = a b^T exp((f + g - C) / epsilon), so that they stay finite on padding.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings

State = tuple[Tensor, ...]


class Logs(NamedTuple):
    """Costs and log masses of a problem in double precision; on padding costs are 0 and log masses -inf."""

    cost: Float[Tensor, "batch source target"]
    log_a: Float[Tensor, "batch source"]
    log_b: Float[Tensor, "batch target"]

    @classmethod
    def of(cls, problem: Problem) -> "Logs":
        """The logarithms of ``problem``."""
        return cls(problem.real_cost.double(), problem.a.double().log(), problem.b.double().log())

    def row_minimum(self, g: Float[Tensor, "batch target"], epsilon: float) -> Float[Tensor, "batch source"]:
        """Soft minimum of each row, -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon)."""
        return -epsilon * torch.logsumexp(self.log_b.unsqueeze(1) + (g.unsqueeze(1) - self.cost) / epsilon, 2)

    def column_minimum(self, f: Float[Tensor, "batch source"], epsilon: float) -> Float[Tensor, "batch target"]:
        """Soft minimum of each column, -epsilon log sum_i a_i exp((f_i - C_ij) / epsilon)."""
        return -epsilon * torch.logsumexp(self.log_a.unsqueeze(2) + (f.unsqueeze(2) - self.cost) / epsilon, 1)

    def with_masses(self, f: Tensor, g: Tensor, epsilon: float) -> Potentials:
        """Potentials as in ``Plan``, P = exp((f + g - C) / epsilon): -inf on padding."""
        return Potentials(f + epsilon * self.log_a, g + epsilon * self.log_b)

    def column_start(self, start: Potentials | None, epsilon: float) -> Float[Tensor, "batch target"]:
        """Column potentials for the first half sweep: those of ``start`` without the masses, else zeros."""
        if start is None:
            return torch.zeros_like(self.log_b)
        return torch.where(self.log_b.isfinite(), start.g.double() - epsilon * self.log_b, 0)


def marginal(potential: Tensor, soft: Tensor, log_mass: Tensor, epsilon: float) -> Float[Tensor, "batch tokens"]:
    """One side's marginal of the plan, from that side's potentials and soft minima over the other side."""
    return torch.exp(log_mass + (potential - soft) / epsilon)


def until_converged(
    sweep: Callable[[Logs, State], tuple[State, Tensor]], logs: Logs, state: State, settings: Settings
) -> tuple[State, Int[Tensor, " batch"]]:
    """Repeat ``sweep`` on every problem until its error is within the tolerance.

    Args:
        sweep: takes the problems and a state, and returns the next state and an error per problem.
        logs: the problems.
        state: tensors whose first axis is the batch.
        settings: the tolerance (0 runs every sweep) and max_iterations.

    Returns:
        The final state and the sweeps of each problem.
    """
    final = tuple(part.clone() for part in state)
    running = torch.arange(len(logs.cost), device=logs.cost.device)
    iterations = torch.zeros_like(running)
    for count in range(1, settings.max_iterations + 1):
        state, error = sweep(logs, state)
        done = (error <= settings.tolerance) & (settings.tolerance > 0) | (count == settings.max_iterations)
        if done.any():
            for whole, part in zip(final, state, strict=True):
                whole[running[done]] = part[done]
            iterations[running[done]] = count
            logs, state = Logs(*(part[~done] for part in logs)), tuple(part[~done] for part in state)
            running = running[~done]
        if not len(running):
            break
    return final, iterations


def alternate(
    problem: Problem,
    settings: Settings,
    start: Potentials | None,
    sweep: Callable[[Logs, State], tuple[State, Tensor]],
    residual: Callable[[Tensor, Tensor, Tensor], Tensor],
) -> Plan:
    """The plan that results from sweeps on a state (f, g, soft minima of the rows under g).

    Args:
        problem: the batch.
        settings: epsilon, tolerance, max_iterations.
        start: potentials of an earlier plan.
        sweep: see ``until_converged``.
        residual: one side's distance from the optimum per problem, from its potentials, its soft minima and its log
            masses; the sum of both sides' is the plan's ``marginal_error``.
    """
    epsilon, logs = settings.epsilon, Logs.of(problem)
    g = logs.column_start(start, epsilon)
    state = torch.zeros_like(logs.log_a), g, logs.row_minimum(g, epsilon)
    (f, g, soft), iterations = until_converged(sweep, logs, state, settings)
    error = residual(f, soft, logs.log_a) + residual(g, logs.column_minimum(f, epsilon), logs.log_b)
    return as_plan(problem, logs.with_masses(f, g, epsilon), epsilon, error, iterations, settings.tolerance)


def as_plan(
    problem: Problem,
    potentials: Potentials,
    epsilon: float,
    error: Float[Tensor, " batch"],
    iterations: Int[Tensor, " batch"],
    tolerance: float,
) -> Plan:
    """The plan of ``potentials`` with its convergence."""
    regularisation = torch.full_like(error, epsilon)
    return Plan(problem, potentials.f, potentials.g, regularisation, error, iterations, error <= tolerance)
