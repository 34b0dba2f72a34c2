"""Score distillation: the student ranks the English sentences of the batch as the teacher ranks them.

The teacher reads the translation of the source as a query. Its scores over the targets of the batch, and over mined
negatives if there are any, are the distribution that the student's scores are drawn to (Hofstatter et al. 2020,
arXiv:2010.02666, distil scores of pairs; here all pairs of a batch are scored).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, ClassVar, Literal

from optical.data.batches.batch import PairBatch
from optical.errors import require
from optical.objectives.base import Embed, Losses, Objective, ObjectiveConfig
from optical.objectives.contrastive import batch_documents

if TYPE_CHECKING:
    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(ObjectiveConfig):
    """KL divergence of the student's ranking of the batch from the teacher's, scored by MaxSim."""

    name: Literal["score_kl"] = "score_kl"
    """Which objective: the name of a file in ``optical/objectives``."""
    temperature: float = 0.02
    """Softmax temperature of both, applied to the mean MaxSim per query token."""

    divisible: ClassVar[bool] = False
    gathers: ClassVar[bool] = True

    def __post_init__(self) -> None:
        finite = 0 < self.temperature < inf
        require(finite, "objective.temperature", f"is {self.temperature}", "set a positive number")

    def build(self, teacher: Encoder | None) -> ScoreDistillation:
        """The objective, on the CPU."""
        return ScoreDistillation(teacher, self.temperature)

    def in_words(self) -> str:
        """The loss and its temperature."""
        return f"KL divergence of the rankings of a batch's targets by MaxSim, temperature {self.temperature:g}."

    def means(self) -> str:
        """The method."""
        return "the scores of the teacher over the sentences of each batch of bitext"


class ScoreDistillation(Objective):
    """KL(teacher || student) over the documents of the global batch, for each pair.

    Args:
        teacher: reads the targets, as queries and as documents.
        temperature: of both distributions.
    """

    def __init__(self, teacher: Encoder | None, temperature: float) -> None:
        super().__init__(teacher)
        self.temperature = temperature

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """The divergence of each pair, and whether both rank the same document first."""
        import torch

        from optical.model.maxsim import maxsim

        documents = batch_documents(self, encoder, batch)
        queries = (
            (self.targets(encoder, batch).detach(), batch.target.scored),
            (encoder(batch.source.ids, batch.source.mask), batch.source.scored),
        )
        goal, found = (
            maxsim(vectors, scored, documents.embeddings, documents.scored)
            / scored.sum(1, keepdim=True)
            / self.temperature
            for vectors, scored in queries
        )
        goal, found = (scores.masked_fill(~documents.once, -torch.inf).log_softmax(1) for scores in (goal, found))
        terms = goal.exp() * (goal - found)
        same = (goal.argmax(1) == found.detach().argmax(1)).float()
        return Losses(terms.masked_fill(~documents.once, 0.0).sum(1), {"same_best": same})
