"""In-batch contrastive MaxSim, which trains a late-interaction teacher on question-passage pairs.

It can train a student too: the student then ranks the targets of the batch, encoded by the frozen teacher, for each
source sentence.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, Literal

from optical.data.batches.batch import PairBatch
from optical.errors import require
from optical.objectives.base import Embed, Losses, Objective, ObjectiveConfig

if TYPE_CHECKING:
    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(ObjectiveConfig):
    """Softmax cross-entropy of each pair's own target among the targets of the batch, scored by MaxSim."""

    name: Literal["contrastive"] = "contrastive"
    """Which objective: the name of a file in ``optical/objectives``."""
    temperature: float = 0.05
    """Softmax temperature, applied to the mean MaxSim per source token."""

    divisible: ClassVar[bool] = False

    def __post_init__(self) -> None:
        finite = 0 < self.temperature < inf
        require(finite, "objective.temperature", f"is {self.temperature}", "set a positive number")

    def build(self, teacher: Encoder | None) -> InBatchContrastive:
        """The objective, on the CPU."""
        return InBatchContrastive(teacher, self.temperature)

    def in_words(self) -> str:
        """The loss and its temperature."""
        return f"In-batch contrastive MaxSim, temperature {self.temperature:g}."


class InBatchContrastive(Objective):
    """Softmax cross-entropy of each source's own target among the targets on this rank.

    Scores are MaxSim divided by the source's number of tokens and by ``temperature``. Negatives are the pairs of the
    same rank, so with more workers each source has fewer negatives.

    Args:
        teacher: encodes the targets; None if the trained encoder does.
        temperature: of the softmax.
    """

    def __init__(self, teacher: Encoder | None, temperature: float) -> None:
        super().__init__(teacher)
        self.temperature = temperature

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """Cross-entropy of each pair, and whether its own target ranks first."""
        import torch

        from optical.model.maxsim import maxsim

        sources = encoder(batch.source.ids, batch.source.mask)
        scores = maxsim(sources, batch.source.scored, self.targets(encoder, batch), batch.target.scored)
        logits = scores / batch.source.scored.sum(1, keepdim=True) / self.temperature
        own = torch.arange(len(logits), device=logits.device)
        entropy = torch.nn.functional.cross_entropy(logits, own, reduction="none")
        correct = (logits.detach().argmax(1) == own).float()
        return Losses(entropy, {"in_batch_accuracy": correct})
