"""The result of a transport loss, and the result of a fused kernel, which it is built from."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from optical.ot.problem import Plan, Potentials


class Transported(NamedTuple):
    """The result of a fused kernel for a batch of sentence pairs: losses, their convergence, and gradients or plans."""

    value: Float[Tensor, " batch"]
    """<P, C>, in single precision."""
    source_gradient: Float[Tensor, "batch source dim"] | None
    """-P T, the gradient of <P, C> in the source for constant P; None if it is not computed with the loss."""
    target_gradient: Float[Tensor, "batch target dim"] | None
    """-P^T S, likewise; None also if it was not requested."""
    potentials: Potentials
    marginal_error: Float[Tensor, " batch"]
    """L1 distance of P's marginals from a and b, summed over both sides."""
    iterations: Int[Tensor, " batch"]
    """Sweeps (and Newton steps) spent on each pair."""
    norm_deviation: tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]] | None = None
    """Largest |x . x - 1| of the real tokens x of each side; None if the kernel does not compute it."""
    matrix: Float[Tensor, "batch source target"] | None = None
    """P, if the gradients are computed from it later."""


@dataclass(frozen=True)
class TransportLoss:
    """Losses of a batch, and their convergence.

    Args:
        value: loss of each pair, on autograd's tape.
        marginal_error: L1 distance of the plan's marginals from the given ones.
        iterations: sweeps spent on each pair.
        converged: whether the marginal error is within the tolerance.
        make_plan: returns the plan; after a fused kernel, it computes the costs and the plan again.
        make_entropy: returns the plan's entropy, without computing the plan where possible.
    """

    value: Float[Tensor, " batch"]
    marginal_error: Float[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    make_plan: Callable[[], Plan] = field(repr=False)
    make_entropy: Callable[[], Float[Tensor, " batch"]] = field(repr=False)

    @cached_property
    def plan(self) -> Plan:
        """The plan of the losses."""
        return self.make_plan()

    @cached_property
    def entropy(self) -> Float[Tensor, " batch"]:
        """Entropy of the plan in nats, -sum P log P; after a fused kernel, within the rounding of its marginals."""
        return self.make_entropy()
