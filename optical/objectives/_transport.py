"""What the objectives that solve transport problems share: the settings of a problem, their rules and their words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from optical.errors import require
from optical.objectives.base import TokensConfig
from optical.ot.settings import Marginals, PairSettings


@dataclass(frozen=True, kw_only=True)
class TransportConfig(PairSettings, TokensConfig):
    """Transport between the tokens of a sentence pair.

    Raises:
        UserError: an impossible value.
    """

    tolerance: float = 1e-3
    """Marginal error (L1) at which a problem counts as converged; 0 runs every sweep allowed."""
    max_iterations: int = 100
    """Most sweeps for one batch, Newton steps included."""

    section: ClassVar[str] = "objective."
    known_marginals: ClassVar[tuple[Marginals, ...]] = ("uniform", "norm")
    """The masses for which the objective has what they follow from."""

    def __post_init__(self) -> None:
        super().__post_init__()
        TokensConfig.__post_init__(self)
        what, known = f"is {self.marginals!r}, and the objective has no such weights per token", self.known_marginals
        require(self.marginals in known, "objective.marginals", what, f"choose from {', '.join(known)}")

    def cost_in_words(self) -> str:
        """The cost of a cell."""
        order = f" + {self.order_weight:g} |i/n - j/m|" if self.order_weight else ""
        return f"{self.cost.replace('_', ' ')} cost{order}"

    def sweeps_in_words(self) -> str:
        """Epsilon, and where sweeps end."""
        stopping = f"tolerance {self.tolerance:g}, at most {self.max_iterations} iterations"
        return f"epsilon {self.epsilon:g}{self.unit_in_words()}, {stopping}"

    def unit_in_words(self) -> str:
        """The unit of epsilon, where it is not that of the cost."""
        return " of each pair's mean cost" if self.epsilon_unit == "mean_cost" else ""

    def tokens_in_words(self) -> str:
        """The mass of a token, and which tokens take part."""
        masses = "uniform masses" if self.marginals == "uniform" else f"masses by {self.marginals}"
        return f"{masses}, {self.special_in_words()}"
