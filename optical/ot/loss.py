"""The transport loss <P, C> of a batch of sentence pairs, differentiable in the source embeddings."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from optical.ot.cost import cosine_cost
from optical.ot.marginals import uniform_marginal
from optical.ot.problem import Plan, Problem
from optical.ot.sinkhorn import sinkhorn


@dataclass(frozen=True)
class TransportLoss:
    """Per-pair losses and the plan they were measured under."""

    value: Float[Tensor, " batch"]
    plan: Plan


def transport_loss(
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    source_mask: Bool[Tensor, "batch source"],
    target_mask: Bool[Tensor, "batch target"],
    *,
    epsilon: float = 0.1,
    tolerance: float = 1e-3,
    max_iterations: int = 100,
) -> TransportLoss:
    """OPTICAL's loss sum_ij P_ij C_ij for each sentence pair, with the plan P held constant.

    The plan is solved without gradient in float32 whatever the embeddings' type; by the envelope theorem the
    gradient of this loss is the exact gradient of the entropic optimum (Huang, Yu and Allan 2023,
    arXiv:2301.12566). Masked tokens have zero mass, so their gradient is exactly zero.

    Args:
        source: L2-normalised student embeddings.
        target: L2-normalised teacher embeddings.
        source_mask: true for source tokens that take part in the alignment.
        target_mask: true for target tokens that take part in the alignment.
        epsilon: entropic regularisation in the cost's units.
        tolerance: L1 marginal error at which a problem counts as converged.
        max_iterations: most Sinkhorn sweeps.

    Raises:
        UserError: a pair has no token on one side, or epsilon is not positive.
    """
    with torch.autocast(source.device.type, enabled=False):
        cost = cosine_cost(source.float(), target.float())
    with torch.no_grad(), torch.autocast(source.device.type, enabled=False):
        problem = Problem(cost.detach(), uniform_marginal(source_mask), uniform_marginal(target_mask))
        plan = sinkhorn(problem, epsilon, tolerance, max_iterations)
    return TransportLoss((plan.matrix * cost).sum((1, 2)), plan)
