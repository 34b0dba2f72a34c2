"""Greedy alignment: the nearest two tokens are aligned first, and each token is used once.

This is the token alignment of DR.DECR (Li et al. 2022, arXiv:2112.08185): the smallest entry of the matrix of cosine
distances aligns its two tokens and removes its row and its column, until the shorter side is used up. The loss is the
squared distance of the aligned vectors, |s - t|^2, averaged over the aligned tokens. The mean squared error of the
paper averages over the coordinates too, so it is this loss divided by the dimension.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from optical.objectives._aligned import AlignedDistillation
from optical.objectives.base import TokensConfig

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(TokensConfig):
    """Squared distance of tokens aligned greedily, one to one."""

    name: Literal["greedy"] = "greedy"
    """Which objective: the name of a file in ``optical/objectives``."""

    def build(self, teacher: Encoder | None) -> GreedyDistillation:
        """The objective, on the CPU."""
        return GreedyDistillation(teacher, self)

    def in_words(self) -> str:
        """The loss."""
        return f"Squared distance of tokens aligned greedily by cosine, one to one, {self.special_in_words()}."

    def means(self) -> str:
        """The method and its paper."""
        return "a greedy alignment of tokens over bitext (Li et al. 2022, arXiv:2112.08185)"


class GreedyDistillation(AlignedDistillation[Config]):
    """Moves each aligned source token to its target token."""

    # |s - t|^2 = 2 (1 - s . t) for vectors of length one.
    factor: ClassVar[float] = 2.0

    def weights(
        self, cost: Float[Tensor, "batch source target"], cells: Bool[Tensor, "batch source target"]
    ) -> Float[Tensor, "batch source target"]:
        """Equal weights on the aligned cells."""
        aligned = greedy_alignment(cost, cells).to(cost.dtype)
        return aligned / aligned.sum((1, 2), keepdim=True)


def greedy_alignment(
    cost: Float[Tensor, "batch source target"], cells: Bool[Tensor, "batch source target"]
) -> Bool[Tensor, "batch source target"]:
    """The cells that repeated argmin chooses, each row and column at most once; of equal costs the first cell.

    A cell that is the least of its row and of its column will be chosen whatever else is chosen before it. Every round
    takes all such cells of all pairs at once, so the rounds are fewer than the tokens of the shorter side.
    """
    import torch

    rows = torch.arange(cost.shape[1], device=cost.device)
    aligned = torch.zeros_like(cells)
    left = cost.masked_fill(~cells, torch.inf)
    for _ in range(min(cost.shape[1:])):
        best_column, best_row = left.argmin(2), left.argmin(1)
        mutual = best_row.gather(1, best_column) == rows
        chosen = torch.zeros_like(cells).scatter_(2, best_column.unsqueeze(2), mutual.unsqueeze(2))
        chosen &= left < torch.inf
        aligned |= chosen
        left = left.masked_fill(chosen.any(2, keepdim=True) | chosen.any(1, keepdim=True), torch.inf)
        if not (left < torch.inf).any():
            break
    return aligned
