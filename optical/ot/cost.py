"""Costs between token embeddings."""

from jaxtyping import Float
from torch import Tensor


def cosine_cost(
    source: Float[Tensor, "batch source dim"], target: Float[Tensor, "batch target dim"]
) -> Float[Tensor, "batch source target"]:
    """Cosine distance C_ij = 1 - s_i . t_j of L2-normalised token embeddings, in [0, 2]."""
    return 1 - source @ target.transpose(1, 2)
