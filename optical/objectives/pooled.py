"""Pooled distillation: the mean of a sentence's token vectors moves towards that of its translation.

Reimers and Gurevych 2020 (arXiv:2004.09813) distil single-vector encoders in this way. No token is aligned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from optical.data.batches.batch import PairBatch
from optical.objectives.base import Embed, Losses, Objective, TokensConfig

if TYPE_CHECKING:
    from torch import Tensor

    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(TokensConfig):
    """1 - cosine of the mean token vectors of source and target."""

    name: Literal["pooled"] = "pooled"
    """Which objective: the name of a file in ``optical/objectives``."""

    def build(self, teacher: Encoder | None) -> PooledDistillation:
        """The objective, on the CPU."""
        return PooledDistillation(teacher, self)

    def idle(self) -> tuple[str, ...]:
        """The tokens, where they are those that the first version of this objective always took."""
        return ("special_tokens",) if self.special_tokens == "drop" else ()

    def in_words(self) -> str:
        """The loss."""
        return f"1 - cosine of the mean token vectors, {self.special_in_words()}."

    def means(self) -> str:
        """The method and its paper."""
        return "the cosine of pooled sentence vectors over bitext (Reimers and Gurevych 2020, arXiv:2004.09813)"


class PooledDistillation(Objective):
    """Moves the mean of the student's source tokens towards the mean of the teacher's target tokens.

    Args:
        teacher: encodes the target side.
        config: which tokens take part.
    """

    def __init__(self, teacher: Encoder | None, config: Config) -> None:
        super().__init__(teacher)
        self.config = config

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """1 - cosine of each pair."""
        import torch

        masks = self.config.taking_part(batch.source), self.config.taking_part(batch.target)
        source = _mean(encoder(batch.source.ids, batch.source.mask), masks[0])
        target = _mean(self.targets(encoder, batch), masks[1])
        return Losses(1 - torch.nn.functional.cosine_similarity(source, target, dim=-1))


def _mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """(batch, dim) sum over the tokens in ``mask``: the cosine does not see its length."""
    return vectors.masked_fill(~mask.unsqueeze(2), 0.0).sum(1)
