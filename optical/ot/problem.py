"""Problem and Plan: what goes into a transport solver and what comes out of it."""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from optical.errors import UserError


@dataclass(frozen=True)
class Problem:
    """A padded batch of independent transport problems: min <P, C> over P with marginals a and b.

    Padding has exactly zero mass; its costs are never looked at.
    """

    cost: Float[Tensor, "batch source target"]
    a: Float[Tensor, "batch source"]
    b: Float[Tensor, "batch target"]

    def __post_init__(self) -> None:
        for name, side in (("source", self.a), ("target", self.b)):
            empty = (side.sum(1) <= 0).nonzero()
            if len(empty):
                row = int(empty[0])
                raise UserError(f"problem {row}", f"its {name} side has no mass", "drop pairs with an empty side")


@dataclass(frozen=True)
class Plan:
    """A transport plan with its evidence.

    ``matrix`` is P; ``f`` and ``g`` are the potentials with P = exp((f + g - C) / epsilon), -inf on padding;
    ``marginal_error`` is the L1 distance of P's marginals from a and b; ``iterations`` counts the sweeps after
    which each problem was seen converged (or the sweeps spent, if it was not).
    """

    matrix: Float[Tensor, "batch source target"]
    f: Float[Tensor, "batch source"]
    g: Float[Tensor, "batch target"]
    marginal_error: Float[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]

    def entropy(self) -> Float[Tensor, " batch"]:
        """Entropy of the plan in nats, -sum P log P: 0 for a single cell, log(n m) for the uniform plan."""
        return -(self.matrix * self.matrix.clamp_min(1e-38).log()).sum((1, 2))
