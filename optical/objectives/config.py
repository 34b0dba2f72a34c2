"""What the student minimises."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from optical.errors import require


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """What the student minimises; the fields name the transport problem of the OPTICAL loss."""

    name: Literal["ot"] = "ot"
    """``ot``: optimal-transport distillation, loss <P, C> with the plan held constant."""
    method: Literal["sinkhorn", "ipot", "unbalanced", "partial", "exact"] = "sinkhorn"
    """How mass is moved, see ``optical.ot.Settings``."""
    cost: Literal["cosine", "squared_euclidean", "angular"] = "cosine"
    """Distance between a source and a target token."""
    order_weight: float = 0.0
    """Weight of |i/n - j/m|, which keeps the alignment near the diagonal."""
    gradient: Literal["detached", "implicit"] = "detached"
    """``detached`` holds the plan constant; ``implicit`` is the exact gradient of <P, C> (Sinkhorn only)."""
    epsilon: float = 0.1
    """Entropic regularisation in the cost's units (cosine distance, 0 to 2)."""
    tolerance: float = 1e-3
    """Marginal error (L1) at which a problem counts as converged."""
    max_iterations: int = 100
    """Most Sinkhorn sweeps for one batch."""
    penalty: float = 1.0
    """rho of ``unbalanced``: the price of mass created or destroyed, in the cost's units."""
    mass: float = 1.0
    """Share of the mass that ``partial`` moves."""
    special_tokens: Literal["drop", "keep"] = "drop"
    """Whether [CLS] and [SEP] take part in the alignment."""

    def __post_init__(self) -> None:
        needs = f"is {self.epsilon}, and Sinkhorn needs a finite epsilon > 0"
        require(0 < self.epsilon < inf, "objective.epsilon", needs, "try 0.1")
        for name in ("tolerance", "penalty"):
            value = getattr(self, name)
            require(0 < value < inf, f"objective.{name}", f"is {value}", "set a positive number")
        require(0 < self.mass <= 1, "objective.mass", f"is {self.mass}", "set more than 0 and at most 1")
        require(0 <= self.order_weight < inf, "objective.order_weight", f"is {self.order_weight}", "set 0 or more")
        exact = self.gradient == "detached" or self.method == "sinkhorn"
        require(exact, "objective.gradient", f"is {self.gradient!r} for the method {self.method!r}", "use 'detached'")
        require(self.max_iterations > 0, "objective.max_iterations", f"is {self.max_iterations}", "set at least 1")
