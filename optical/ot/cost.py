"""Costs: the distance between two tokens, from their embeddings and optionally from their positions.

Each cost maps (batch, source, dim) and (batch, target, dim) to (batch, source, target). Half-precision embeddings are
converted first, and the arithmetic is at least in single precision, also under autocast: rounding a cost to bfloat16
makes the plan's gradient useless. If a cost needs L2-normalised embeddings, the caller normalises them.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from optical.errors import UserError

# Cosines are clamped this far from +-1, where the slope of arccos is infinite.
_EDGE = 1e-6


def cosine_cost(
    source: Float[Tensor, "batch source dim"], target: Float[Tensor, "batch target dim"]
) -> Float[Tensor, "batch source target"]:
    """Cosine distance C_ij = 1 - s_i . t_j of L2-normalised embeddings, in [0, 2]."""
    return 1 - _products(*_widened(source, target))


def squared_euclidean_cost(
    source: Float[Tensor, "batch source dim"], target: Float[Tensor, "batch target dim"]
) -> Float[Tensor, "batch source target"]:
    """Squared distance C_ij = |s_i - t_j|^2 of any embeddings; for normalised ones, twice the cosine cost."""
    source, target = _widened(source, target)
    squares = source.square().sum(2).unsqueeze(2) + target.square().sum(2).unsqueeze(1)
    return (squares - 2 * _products(source, target)).clamp_min(0)


def angular_cost(
    source: Float[Tensor, "batch source dim"], target: Float[Tensor, "batch target dim"]
) -> Float[Tensor, "batch source target"]:
    """Angle C_ij = arccos(s_i . t_j) / pi between L2-normalised embeddings: a metric, in [0, 1].

    Cosines are clamped to 1 - 1e-6: such costs have an error of up to 5e-4, and their gradient is zero.
    """
    cosines = _products(*_widened(source, target))
    return torch.arccos(cosines.clamp(_EDGE - 1, 1 - _EDGE)) / torch.pi


def order_distortion(
    source_mask: Bool[Tensor, "batch source"], target_mask: Bool[Tensor, "batch target"]
) -> Float[Tensor, "batch source target"]:
    """Distance of a cell from the diagonal, D_ij = |i / n - j / m|, in [0, 1).

    i counts the real source tokens from 1 to n, j the real target tokens from 1 to m. It is the log-prior of fast_align
    (Dyer, Chahuneau and Smith 2013, aclanthology.org/N13-1073) and, squared and scaled, the temporal term of the
    order-preserving Wasserstein distance (Su and Hua, CVPR 2017). Values of masked tokens have no meaning.
    """
    i, j = (mask.cumsum(1) / mask.sum(1, keepdim=True).clamp_min(1) for mask in (source_mask, target_mask))
    return (i.unsqueeze(2) - j.unsqueeze(1)).abs()


COSTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "cosine": cosine_cost,
    "squared_euclidean": squared_euclidean_cost,
    "angular": angular_cost,
}

UNIT_COSTS = frozenset({"cosine", "angular"})
"""Costs of L2-normalised embeddings."""


def cost_matrix(
    name: str,
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    source_mask: Bool[Tensor, "batch source"],
    target_mask: Bool[Tensor, "batch target"],
    order_weight: float = 0.0,
) -> Float[Tensor, "batch source target"]:
    """The cost called ``name``, plus ``order_weight`` times the order distortion.

    Raises:
        UserError: there is no cost of that name.
    """
    if name not in COSTS:
        raise UserError("cost", f"is {name!r}", f"choose from {', '.join(COSTS)}")
    cost = COSTS[name](source, target)
    if order_weight:
        cost = cost + order_weight * order_distortion(source_mask, target_mask)
    return cost


def _widened(source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Both sides in the higher precision of the two, float32 at least."""
    wide = torch.promote_types(torch.promote_types(source.dtype, target.dtype), torch.float32)
    return source.to(wide), target.to(wide)


def _products(source: Tensor, target: Tensor) -> Float[Tensor, "batch source target"]:
    """Inner products of all source tokens with all target tokens."""
    with torch.autocast(source.device.type, enabled=False):
        return source @ target.transpose(1, 2)
