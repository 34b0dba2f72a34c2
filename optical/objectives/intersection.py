"""Softmax-intersection alignment of awesome-align (Dou and Neubig 2021, arXiv:2101.08231).

A source token's similarities to all target tokens become probabilities by a softmax, and so do a target token's to all
source tokens. A cell is aligned if both of its probabilities exceed a threshold. The paper fine-tunes an aligner by
raising the probabilities of aligned cells. Here the student's tokens move instead: an aligned cell has the weight of
the product of its two probabilities, which is the soft form of their intersection, and the loss is the weighted mean of
the cosine distances.

The paper takes dot products of vectors that are not normalised, so its softmax needs no temperature; cosines do.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

from optical.errors import require
from optical.objectives._aligned import Aligned, AlignedDistillation
from optical.objectives.base import TokensConfig

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(TokensConfig):
    """Mean cosine distance of the tokens that two softmaxes align, weighted by the product of their probabilities.

    Raises:
        UserError: an impossible value.
    """

    name: Literal["intersection"] = "intersection"
    """Which objective: the name of a file in ``optical/objectives``."""
    temperature: float = 0.05
    """Softmax temperature of the cosines in both directions; the lower, the fewer cells are aligned."""
    threshold: float = 0.001
    """Both probabilities of an aligned cell are above it. Below 1 / n, with n the tokens of the longer sentence, some
    cell is always aligned; a pair without an aligned cell has the loss 0, and ``unaligned`` counts such pairs."""

    def __post_init__(self) -> None:
        super().__post_init__()
        positive = 0 < self.temperature < inf
        require(positive, "objective.temperature", f"is {self.temperature}", "set a positive number")
        what = f"is {self.threshold}, and it bounds a probability"
        require(0 <= self.threshold < 1, "objective.threshold", what, "set 0 or more, and less than 1")

    def build(self, teacher: Encoder | None) -> IntersectionDistillation:
        """The objective, on the CPU."""
        return IntersectionDistillation(teacher, self)

    def in_words(self) -> str:
        """The loss and its settings."""
        kept = f"temperature {self.temperature:g}, both probabilities above {self.threshold:g}"
        return f"Mean cosine distance of tokens aligned by softmax intersection, {kept}, {self.special_in_words()}."

    def means(self) -> str:
        """The method and its paper."""
        return "a softmax-intersection alignment of tokens over bitext (Dou and Neubig 2021, arXiv:2101.08231)"


class IntersectionDistillation(AlignedDistillation[Config]):
    """Moves source tokens to the target tokens that choose them too."""

    def weights(
        self, cost: Float[Tensor, "batch source target"], cells: Bool[Tensor, "batch source target"]
    ) -> Float[Tensor, "batch source target"]:
        """The product of both probabilities where both exceed the threshold, normalised in each pair."""
        import torch

        scores = (-cost / self.config.temperature).masked_fill(~cells, torch.finfo(cost.dtype).min)
        of_source, of_target = scores.softmax(2), scores.softmax(1)
        aligned = cells & (of_source > self.config.threshold) & (of_target > self.config.threshold)
        found = (of_source * of_target).masked_fill(~aligned, 0.0)
        return found / found.sum((1, 2), keepdim=True).clamp_min(torch.finfo(cost.dtype).tiny)

    def observed(self, found: Aligned) -> dict[str, Tensor]:
        """The entropy of each alignment, and whether nothing was aligned."""
        return super().observed(found) | {"unaligned": ~(found.weights > 0).any(2).any(1)}
