"""What a transport loss returns: from the fused kernels to ``loss``, and from there to its caller."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from jaxtyping import Bool, Float, Int
from torch import Tensor

from optical.ot.problem import Plan, Potentials


class Transported(NamedTuple):
    """What a fused kernel has made of a batch of sentence pairs: losses with their evidence, and gradients or plans."""

    value: Float[Tensor, " batch"]
    """<P, C>, in single precision."""
    source_gradient: Float[Tensor, "batch source dim"] | None
    """-P T: of <P, C> in the source for a given P, as autograd wants it; where it was made together with the loss."""
    target_gradient: Float[Tensor, "batch target dim"] | None
    """-P^T S, likewise, and where it was asked for."""
    potentials: Potentials
    marginal_error: Float[Tensor, " batch"]
    """L1 distance of P's marginals from a and b, both sides added."""
    iterations: Int[Tensor, " batch"]
    """Sweeps (and Newton steps) spent on each pair."""
    stretch: tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]] | None = None
    """How far the squared length of a real token is from one at most, on either side; where the kernel looked."""
    matrix: Float[Tensor, "batch source target"] | None = None
    """P, where the gradients are still to be made of it."""


@dataclass(frozen=True)
class TransportLoss:
    """Losses of a batch, and the evidence for them.

    Args:
        value: loss of each pair, on autograd's tape.
        marginal_error: L1 distance of the plan's marginals from the given ones.
        iterations: sweeps spent on each pair.
        converged: whether the marginal error is within the tolerance.
        make_plan: gives the plan; after a fused kernel it is rebuilt, with its costs, when it is asked for.
        make_entropy: gives the plan's entropy, without the plan where that can be.
    """

    value: Float[Tensor, " batch"]
    marginal_error: Float[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    make_plan: Callable[[], Plan] = field(repr=False)
    make_entropy: Callable[[], Float[Tensor, " batch"]] = field(repr=False)

    @cached_property
    def plan(self) -> Plan:
        """The plan the losses were measured under."""
        return self.make_plan()

    @cached_property
    def entropy(self) -> Float[Tensor, " batch"]:
        """Entropy of the plan in nats, -sum P log P; by a fused kernel, within the rounding of its marginals."""
        return self.make_entropy()
