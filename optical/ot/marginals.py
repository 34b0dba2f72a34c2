"""Marginals: how much mass each token brings to the alignment."""

from jaxtyping import Bool, Float
from torch import Tensor


def uniform_marginal(mask: Bool[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens"]:
    """Equal mass 1/n on each of a sentence's n real tokens, exactly zero on padding."""
    mass = mask.float()
    return mass / mass.sum(1, keepdim=True).clamp_min(1)
