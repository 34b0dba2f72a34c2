"""The Sinkhorn divergence: entropic transport without its bias.

The entropic cost of a sentence to itself is not zero: OT_eps(x, x) > 0, and the point cloud nearest to x by OT_eps is a
contracted x. Subtracting the two self-terms removes this bias,

    S_eps(x, y) = OT_eps(x, y) - OT_eps(x, x) / 2 - OT_eps(y, y) / 2,
    OT_eps(x, y) = min <P, C> + epsilon KL(P | a b^T),

which is zero for identical clouds and positive for others as long as exp(-C / epsilon) is a positive definite kernel
(Feydy, Sejourne, Vialard, Amari, Trouve and Peyre 2019, arXiv:1810.08278, theorem 1). This holds for every cost of
``cost``, with and without the order term. For large epsilon the divergence tends to a kernel distance of the two clouds
(for the cosine cost, half the squared distance of their means); for small epsilon it tends to exact transport.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor

from optical.ot.loss import TransportLoss, transport_loss
from optical.ot.settings import Acceleration, Backend, Cost, Marginals


@dataclass(frozen=True)
class Divergence:
    """Sinkhorn divergences of a batch, and the three transport losses of each.

    Args:
        value: divergence of each pair, on autograd's tape.
        between: OT_eps(source, target).
        within_source: OT_eps(source, source).
        within_target: OT_eps(target, target).
    """

    value: Float[Tensor, " batch"]
    between: TransportLoss
    within_source: TransportLoss
    within_target: TransportLoss

    @property
    def converged(self) -> Bool[Tensor, " batch"]:
        """Whether all three transport problems converged."""
        return self.between.converged & self.within_source.converged & self.within_target.converged


def sinkhorn_divergence(
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    source_mask: Bool[Tensor, "batch source"],
    target_mask: Bool[Tensor, "batch target"],
    *,
    cost: Cost = "cosine",
    marginals: Marginals = "uniform",
    epsilon: float = 0.1,
    tolerance: float = 1e-4,
    max_iterations: int = 1000,
    order_weight: float = 0.0,
    source_weights: Float[Tensor, "batch source"] | None = None,
    target_weights: Float[Tensor, "batch target"] | None = None,
    acceleration: Acceleration = "auto",
    backend: Backend = "auto",
) -> Divergence:
    """The Sinkhorn divergence of each pair, differentiable in the embeddings; its gradient is exact at convergence.

    The arguments are those of ``transport_loss``. The value may be slightly negative, within the tolerance and the
    rounding of single precision.

    Raises:
        UserError: as ``transport_loss`` does.
    """

    def regularised(x: tuple, y: tuple) -> TransportLoss:
        (x_tokens, x_mask, x_weights), (y_tokens, y_mask, y_weights) = x, y
        return transport_loss(
            x_tokens,
            y_tokens,
            x_mask,
            y_mask,
            cost=cost,
            marginals=marginals,
            epsilon=epsilon,
            tolerance=tolerance,
            max_iterations=max_iterations,
            value="regularised",
            order_weight=order_weight,
            source_weights=x_weights,
            target_weights=y_weights,
            acceleration=acceleration,
            backend=backend,
        )

    here, there = (source, source_mask, source_weights), (target, target_mask, target_weights)
    between, within_source, within_target = (
        regularised(*pair) for pair in ((here, there), (here, here), (there, there))
    )
    value = between.value - (within_source.value + within_target.value) / 2
    return Divergence(value, between, within_source, within_target)
