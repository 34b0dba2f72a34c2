"""The Sinkhorn divergence: entropic transport without its bias.

The entropic cost of a sentence to itself is not zero: OT_eps(x, x) > 0, and the point cloud nearest to x by OT_eps is a
contracted x. Subtracting the two self-terms removes this bias,

    S_eps(x, y) = OT_eps(x, y) - OT_eps(x, x) / 2 - OT_eps(y, y) / 2,
    OT_eps(x, y) = min <P, C> + epsilon KL(P | a b^T),

which is zero for identical clouds and positive for others as long as exp(-C / epsilon) is a positive definite kernel
(Feydy, Sejourne, Vialard, Amari, Trouve and Peyre 2019, arXiv:1810.08278, theorem 1). This holds for every cost of
``cost``, with and without the order term. For large epsilon the divergence tends to a kernel distance of the two clouds
(for the cosine cost, half the squared distance of their means); for small epsilon it tends to exact transport.

The three terms have one epsilon. In units of ``mean_cost`` it is a share of the mean cost between the two sentences,
which is held constant.
"""

from dataclasses import dataclass, fields

from jaxtyping import Bool, Float
from torch import Tensor

from optical.ot.loss import TransportLoss, loss_with
from optical.ot.settings import Acceleration, Backend, Cost, EpsilonUnit, LossSettings, Marginals, PairSettings


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
    epsilon_unit: EpsilonUnit = "cost",
) -> Divergence:
    """The Sinkhorn divergence of each pair, differentiable in the embeddings; its gradient is exact at convergence.

    The arguments are those of ``transport_loss``. The value may be slightly negative, within the tolerance and the
    rounding of single precision.

    Raises:
        UserError: as ``transport_loss`` does.
    """
    settings = PairSettings(
        cost=cost,
        marginals=marginals,
        epsilon=epsilon,
        tolerance=tolerance,
        max_iterations=max_iterations,
        order_weight=order_weight,
        acceleration=acceleration,
        backend=backend,
        epsilon_unit=epsilon_unit,
    )
    return divergence_with(settings, source, target, source_mask, target_mask, source_weights, target_weights)


def divergence_with(
    settings: PairSettings,
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    source_mask: Bool[Tensor, "batch source"],
    target_mask: Bool[Tensor, "batch target"],
    source_weights: Float[Tensor, "batch source"] | None = None,
    target_weights: Float[Tensor, "batch target"] | None = None,
) -> Divergence:
    """``sinkhorn_divergence`` with its settings as one object; the other arguments and the errors are the same."""
    shared = {item.name: getattr(settings, item.name) for item in fields(PairSettings)}
    regularised = LossSettings(**shared, value="regularised")
    here, there = (source, source_mask, source_weights), (target, target_mask, target_weights)
    between = _regularised(regularised, here, there)
    unit = None
    if settings.epsilon_unit == "mean_cost":
        unit = (between.plan.epsilon / settings.epsilon).to(between.value.dtype)
    within_source, within_target = (_regularised(regularised, side, side, unit) for side in (here, there))
    value = between.value - (within_source.value + within_target.value) / 2
    return Divergence(value, between, within_source, within_target)


def _regularised(settings: LossSettings, x: tuple, y: tuple, unit: Tensor | None = None) -> TransportLoss:
    """OT_eps(x, y) of two sides, each given by its embeddings, mask and weights."""
    (x_tokens, x_mask, x_weights), (y_tokens, y_mask, y_weights) = x, y
    return loss_with(settings, x_tokens, y_tokens, x_mask, y_mask, x_weights, y_weights, unit=unit)
