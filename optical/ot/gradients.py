"""Derivatives of the transport loss with respect to the cost.

There are three, and they differ:

* **detached**: dL/dC = P. The plan is held constant. This is the exact gradient of the regularised optimum
  OT_epsilon = min <P, C> + epsilon KL(P | a b^T), by the envelope theorem. OPTICAL trains with it.
* **implicit**: the exact gradient of <P(C), C>, where the plan depends on the cost. Differentiating the optimality
  conditions P = exp((f + g - C) / epsilon), P 1 = a, P^T 1 = b gives

      dL/dC = P - P * (C - alpha - beta) / epsilon,

  where [[diag a, P], [P^T, diag b]] [alpha; beta] = [(P * C) 1; (P * C)^T 1] (Luise et al. 2018, arXiv:1805.11897,
  Theorem 3; Eisenberger et al. 2022, arXiv:2205.06688). One linear solve replaces differentiation of the sweeps.
* **unrolled**: automatic differentiation through the sweeps. It stores all of them, and is less accurate than the
  implicit gradient after the same number of sweeps. It serves as an independent check of the implicit gradient.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import NumericalError
from optical.ot.problem import Plan, Problem

_DAMPING = 1e-12


class Linear(torch.autograd.Function):
    """A value per problem whose derivative with respect to the cost is known."""

    @staticmethod
    def forward(ctx: Any, cost: Tensor, derivative: Tensor, value: Tensor) -> Tensor:
        """The value, in the cost's precision."""
        ctx.save_for_backward(derivative)
        return value.to(cost.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:
        """The derivative, scaled per problem."""
        (derivative,) = ctx.saved_tensors
        return upstream.view(-1, 1, 1) * derivative, None, None


def implicit_derivative(plan: Plan) -> Float[Tensor, "batch source target"]:
    """d<P(C), C>/dC at a converged Sinkhorn plan, solved in double precision."""
    problem = plan.problem
    matrix, cost = plan.matrix.double(), problem.real_cost.double()
    real_source, real_target = problem.a > 0, problem.b > 0
    rows = matrix.sum(2).masked_fill(~real_source, 1)
    columns = matrix.sum(1).masked_fill(~real_target, 1)
    paid = matrix * cost
    share = matrix / rows.unsqueeze(2)
    # Eliminating alpha leaves a symmetric system in beta. Constants are in its null space; the gauge term removes them.
    schur = torch.diag_embed(columns) - share.transpose(1, 2) @ matrix
    gauge = real_target.double() * columns.mean(1, keepdim=True)
    system = schur + gauge.unsqueeze(2) * gauge.unsqueeze(1)
    right = paid.sum(1) - (share.transpose(1, 2) @ paid.sum(2).unsqueeze(2)).squeeze(2)
    # A plan of several blocks has a constant per block in the null space; the damping makes the system solvable.
    scale = columns.rsqrt()
    scaled = system * scale.unsqueeze(2) * scale.unsqueeze(1)
    scaled.diagonal(dim1=1, dim2=2).add_(_DAMPING)
    solution, _ = torch.linalg.solve_ex(scaled, (right * scale).unsqueeze(2))
    beta = solution.squeeze(2) * scale
    for row in (~beta.isfinite().all(1)).nonzero().flatten().tolist():
        what = "the derivative of its plan cannot be computed"
        raise NumericalError(f"problem {row}", what, "use a larger epsilon, or gradient='detached'")
    alpha = (paid.sum(2) - (matrix @ beta.unsqueeze(2)).squeeze(2)) / rows
    moved = (cost - alpha.unsqueeze(2) - beta.unsqueeze(1)) / plan.epsilon.double().view(-1, 1, 1)
    return (matrix - matrix * moved).to(problem.cost.dtype)


def unrolled_plan(
    problem: Problem, cost: Float[Tensor, "batch source target"], epsilon: float, sweeps: int
) -> Float[Tensor, "batch source target"]:
    """The plan after ``sweeps`` log-domain sweeps on ``cost``, with every operation on autograd's tape."""
    scores = (-cost / epsilon).masked_fill(~problem.real, -torch.inf)
    log_a, log_b = problem.a.log(), problem.b.log()
    log_v = torch.zeros_like(problem.b)
    for _ in range(sweeps):
        log_u = log_a - _finite_logsumexp(scores + log_v.unsqueeze(1), 2)
        log_v = log_b - _finite_logsumexp(scores + log_u.unsqueeze(2), 1)
    return torch.exp(scores + log_u.unsqueeze(2) + log_v.unsqueeze(1))


def _finite_logsumexp(scores: Tensor, axis: int) -> Tensor:
    """logsumexp; 0 without gradient where no entry is finite, which happens on padding only."""
    empty = torch.isneginf(scores).all(axis, keepdim=True)
    return torch.logsumexp(scores.masked_fill(empty, 0), axis).masked_fill(empty.squeeze(axis), 0)
