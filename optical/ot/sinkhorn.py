"""Sinkhorn's algorithm: the entropic plan by alternating marginal projections.

P = argmin <P, C> + epsilon KL(P | a b^T) over plans with marginals a, b has the form diag(u) K diag(v) with
K = exp(-C / epsilon); each sweep rescales the rows to a, then the columns to b (Cuturi 2013, arXiv:1306.0895,
Alg. 1). The scaling form multiplies by K and is fast; where the costs span more than float32 can hold, the same
sweeps run on the potentials f = epsilon log u, g = epsilon log v (the log form). The choice is made per batch.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from optical.errors import UserError
from optical.ot.problem import Plan, Problem

_CHECK_SWEEPS = 5
_SAFE_EXPONENT = 60.0
_TINY = 1e-37


def sinkhorn(problem: Problem, epsilon: float, tolerance: float = 1e-3, max_iterations: int = 100) -> Plan:
    """Solve every problem of the batch to ``tolerance`` or to ``max_iterations`` sweeps.

    For C = [[0, 1], [1, 0]] and uniform marginals, P00 = 1 / (2 (1 + exp(-1 / epsilon))):

    >>> C = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> half = torch.full((1, 2), 0.5)
    >>> round(sinkhorn(Problem(C, half, half), epsilon=1.0).matrix[0, 0, 0].item(), 5)
    0.36553

    Args:
        problem: the batch; float32 or float64.
        epsilon: entropic regularisation, in the cost's units.
        tolerance: L1 marginal error at which a problem counts as converged.
        max_iterations: most sweeps; a problem that needs more comes back with ``converged`` false.

    Raises:
        UserError: epsilon is not positive.
    """
    if epsilon <= 0:
        raise UserError("epsilon", f"is {epsilon}, and Sinkhorn needs epsilon > 0", "try 0.1")
    real = (problem.a > 0).unsqueeze(2) & (problem.b > 0).unsqueeze(1)
    cost = problem.cost.masked_fill(~real, 0)
    highest = cost.masked_fill(~real, -torch.inf).amax((1, 2))
    lowest = cost.masked_fill(~real, torch.inf).amin((1, 2))
    if bool(((highest - lowest) / epsilon).max() <= _SAFE_EXPONENT) if len(cost) else True:
        return _scaling_form(problem, cost, real, epsilon, tolerance, max_iterations)
    return _log_form(problem, cost, real, epsilon, tolerance, max_iterations)


def _scaling_form(
    problem: Problem,
    cost: Float[Tensor, "batch source target"],
    real: Bool[Tensor, "batch source target"],
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> Plan:
    a, b = problem.a, problem.b
    row_floor = cost.masked_fill(~real, torch.inf).amin(2, keepdim=True).nan_to_num(posinf=0)
    kernel = torch.exp((row_floor - cost) / epsilon).masked_fill(~real, 0)
    v = (b > 0).to(cost.dtype)
    record = _Convergence(cost, tolerance)
    row_mass = torch.bmm(kernel, v.unsqueeze(2)).squeeze(2)
    for sweep in range(1, max_iterations + 1):
        u = a / row_mass.clamp_min(_TINY)
        v = b / torch.bmm(u.unsqueeze(1), kernel).squeeze(1).clamp_min(_TINY)
        row_mass = torch.bmm(kernel, v.unsqueeze(2)).squeeze(2)
        if record.due(sweep, max_iterations) and record.update((u * row_mass - a).abs().sum(1), sweep):
            break
    matrix = u.unsqueeze(2) * kernel * v.unsqueeze(1)
    f = (epsilon * u.log() + row_floor.squeeze(2)).masked_fill(a == 0, -torch.inf)
    g = (epsilon * v.log()).masked_fill(b == 0, -torch.inf)
    return record.plan(problem, matrix, f, g)


def _log_form(
    problem: Problem,
    cost: Float[Tensor, "batch source target"],
    real: Bool[Tensor, "batch source target"],
    epsilon: float,
    tolerance: float,
    max_iterations: int,
) -> Plan:
    log_a, log_b = problem.a.log(), problem.b.log()
    scores = (-cost / epsilon).masked_fill(~real, -torch.inf)
    log_v = torch.zeros_like(problem.b).masked_fill(problem.b == 0, -torch.inf)
    record = _Convergence(cost, tolerance)
    row_mass = _log_sum(scores + log_v.unsqueeze(1), 2)
    for sweep in range(1, max_iterations + 1):
        log_u = (log_a - row_mass).masked_fill(problem.a == 0, -torch.inf)
        log_v = (log_b - _log_sum(scores + log_u.unsqueeze(2), 1)).masked_fill(problem.b == 0, -torch.inf)
        row_mass = _log_sum(scores + log_v.unsqueeze(1), 2)
        if record.due(sweep, max_iterations):
            row_sum = (log_u + row_mass).masked_fill(problem.a == 0, -torch.inf).exp()
            if record.update((row_sum - problem.a).abs().sum(1), sweep):
                break
    matrix = (scores + log_u.unsqueeze(2) + log_v.unsqueeze(1)).masked_fill(~real, -torch.inf).exp()
    return record.plan(problem, matrix, epsilon * log_u, epsilon * log_v)


def _log_sum(values: Tensor, axis: int) -> Tensor:
    """logsumexp that returns 0 instead of -inf for rows without a real entry (their mass is zero anyway)."""
    return torch.logsumexp(values, axis).nan_to_num(neginf=0)


class _Convergence:
    """Which problems have converged, and after how many sweeps each was first seen so."""

    def __init__(self, cost: Tensor, tolerance: float) -> None:
        self.tolerance = tolerance
        self.iterations = torch.zeros(len(cost), dtype=torch.long, device=cost.device)
        self.converged = torch.zeros(len(cost), dtype=torch.bool, device=cost.device)

    def due(self, sweep: int, last: int) -> bool:
        return sweep % _CHECK_SWEEPS == 0 or sweep == last

    def update(self, row_error: Tensor, sweep: int) -> bool:
        self.iterations = torch.where(self.converged, self.iterations, sweep)
        self.converged = self.converged | (row_error <= self.tolerance)
        return bool(self.converged.all())

    def plan(self, problem: Problem, matrix: Tensor, f: Tensor, g: Tensor) -> Plan:
        error = (matrix.sum(2) - problem.a).abs().sum(1) + (matrix.sum(1) - problem.b).abs().sum(1)
        return Plan(matrix, f, g, error, self.iterations, error <= self.tolerance)
