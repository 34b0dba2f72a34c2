"""Pooled distillation: the mean of a sentence's token vectors moves towards that of its translation.

Reimers and Gurevych 2020 (arXiv:2004.09813) distil single-vector encoders in this way. No token is aligned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from optical.data.batches.batch import PairBatch
from optical.objectives.base import Embed, Losses, Objective, ObjectiveConfig

if TYPE_CHECKING:
    from torch import Tensor

    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(ObjectiveConfig):
    """1 - cosine of the mean token vectors of source and target."""

    name: Literal["pooled"] = "pooled"
    """Which objective: the name of a file in ``optical/objectives``."""

    def build(self, teacher: Encoder | None) -> PooledDistillation:
        """The objective, on the CPU."""
        return PooledDistillation(teacher)

    def in_words(self) -> str:
        """The loss."""
        return "1 - cosine of the mean token vectors, special tokens left out."

    def means(self) -> str:
        """The method and its paper."""
        return "the cosine of pooled sentence vectors over bitext (Reimers and Gurevych 2020, arXiv:2004.09813)"


class PooledDistillation(Objective):
    """Moves the mean of the student's source tokens towards the mean of the teacher's target tokens."""

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """1 - cosine of each pair; special tokens, markers and prefixes are left out."""
        import torch

        source = _mean(encoder(batch.source.ids, batch.source.mask), batch.source.inner)
        target = _mean(self.targets(encoder, batch), batch.target.inner)
        return Losses(1 - torch.nn.functional.cosine_similarity(source, target, dim=-1))


def _mean(vectors: Tensor, mask: Tensor) -> Tensor:
    """(batch, dim) sum over the tokens in ``mask``: the cosine does not see its length."""
    return vectors.masked_fill(~mask.unsqueeze(2), 0.0).sum(1)
