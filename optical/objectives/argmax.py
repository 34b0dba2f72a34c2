"""Argmax alignment: each token goes to the token of the other side that is most similar to it.

This is optimal transport without one of its two marginals: nothing prevents all source tokens from choosing the same
target token. Both directions together make up for a part of that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from optical.errors import require
from optical.objectives._aligned import AlignedDistillation
from optical.objectives.base import TokensConfig

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from optical.model.encoder import Encoder

Direction = Literal["both", "source", "target"]
_IN_WORDS = {
    "both": "each source token to its nearest target token and each target token to its nearest source token",
    "source": "each source token to its nearest target token",
    "target": "each target token to its nearest source token",
}


@dataclass(frozen=True, kw_only=True)
class Config(TokensConfig):
    """Mean cosine distance of each token to its nearest one of the other side.

    Raises:
        UserError: an impossible value.
    """

    name: Literal["argmax"] = "argmax"
    """Which objective: the name of a file in ``optical/objectives``."""
    direction: Direction = "both"
    """Which tokens choose: those of the ``source``, those of the ``target``, or ``both`` (the mean of the two)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        known = get_args(Direction)
        advice = f"choose from {', '.join(known)}"
        require(self.direction in known, "objective.direction", f"is {self.direction!r}", advice)

    def build(self, teacher: Encoder | None) -> ArgmaxDistillation:
        """The objective, on the CPU."""
        return ArgmaxDistillation(teacher, self)

    def in_words(self) -> str:
        """The loss."""
        return f"Mean cosine distance of {_IN_WORDS[self.direction]}, {self.special_in_words()}."

    def means(self) -> str:
        """The method."""
        return "an alignment of each token with its nearest one over bitext"


class ArgmaxDistillation(AlignedDistillation[Config]):
    """Moves tokens to the nearest one of the other side."""

    def weights(
        self, cost: Float[Tensor, "batch source target"], cells: Bool[Tensor, "batch source target"]
    ) -> Float[Tensor, "batch source target"]:
        """Equal weights on the choices of one side, or the mean of both sides' weights."""
        import torch

        left = cost.masked_fill(~cells, torch.inf)
        # Of a token's own side, the other side's tokens are along this axis.
        axes = {"both": (2, 1), "source": (2,), "target": (1,)}[self.config.direction]
        found = torch.zeros_like(cost)
        for axis in axes:
            choices = torch.zeros_like(cells).scatter_(axis, left.argmin(axis, keepdim=True), True) & cells
            found += choices / choices.sum((1, 2), keepdim=True)
        return found / len(axes)
