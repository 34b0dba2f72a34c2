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
    from torch import Tensor

    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(ObjectiveConfig):
    """Softmax cross-entropy of each pair's own target among those of the global batch, scored by MaxSim."""

    name: Literal["contrastive"] = "contrastive"
    """Which objective: the name of a file in ``optical/objectives``."""
    temperature: float = 0.05
    """Softmax temperature, applied to the mean MaxSim per source token."""

    version: ClassVar[int] = 2
    divisible: ClassVar[bool] = False
    gathers: ClassVar[bool] = True

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
    """Softmax cross-entropy of each source's own target among the targets and mined negatives of the global batch.

    Scores are MaxSim divided by the source's number of tokens and by ``temperature``. Ranks gather their targets with
    gradients, so a source has the same negatives on any number of workers. No negative of a source are fillers, and
    texts equal to its own target, which is the target of several questions.

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

        sources = encoder(batch.source_ids, batch.source_mask)
        documents = self._documents(encoder, batch)
        own = documents.first + torch.arange(len(sources), device=sources.device)
        scores = maxsim(sources, batch.source_mask, documents.embeddings, documents.mask)
        logits = scores / batch.source_mask.sum(1, keepdim=True) / self.temperature
        is_own = torch.nn.functional.one_hot(own, len(documents.text)).bool()
        negative = documents.counts & (documents.text[own, None] != documents.text)
        logits = logits.masked_fill(~(is_own | negative), -torch.inf)
        entropy = torch.nn.functional.cross_entropy(logits, own, reduction="none")
        correct = (logits.detach().argmax(1) == own).float()
        return Losses(entropy, {"in_batch_accuracy": correct})

    def _documents(self, encoder: Embed, batch: PairBatch) -> _Documents:
        """The targets of the global batch, and the mined negatives if it has any."""
        import torch

        from optical.model.gathered import gathered, padded_to

        counts = batch.weight > 0
        sides = [(self.targets(encoder, batch), batch.target_ids, batch.target_mask, counts)]
        if batch.negative_ids is not None and batch.negative_mask is not None:
            has_one = batch.negative_mask.any(1)
            # A pair without a mined negative reads one token of padding: no attention over nothing, and every rank
            # calls the encoder equally often.
            mask = torch.cat([batch.negative_mask[:, :1] | ~has_one[:, None], batch.negative_mask[:, 1:]], 1)
            embeddings = self.embed_targets(encoder, batch.negative_ids, mask)
            sides.append((embeddings, batch.negative_ids, mask, counts & has_one))
        shape = len(batch.weight), max(ids.shape[1] for _, ids, _, _ in sides)
        embeddings, first = gathered(torch.cat([padded_to(side, shape) for side, _, _, _ in sides]))
        # Padding has the number -1, so that equal rows are equal texts.
        ids, _ = gathered(torch.cat([padded_to(ids.masked_fill(~mask, -1), shape, -1) for _, ids, mask, _ in sides]), -1)
        counts, _ = gathered(torch.cat([counts for _, _, _, counts in sides]))
        return _Documents(embeddings, ids >= 0, torch.unique(ids, dim=0, return_inverse=True)[1], counts, first)


@dataclass(frozen=True)
class _Documents:
    """The documents that a rank's sources are scored against, of all ranks.

    Args:
        embeddings: (documents, tokens, dim).
        mask: (documents, tokens) their real tokens.
        text: (documents,) a number for each text; equal texts have equal numbers.
        counts: (documents,) whether a document may be a negative: fillers may not.
        first: place of the target of this rank's first pair.
    """

    embeddings: Tensor
    mask: Tensor
    text: Tensor
    counts: Tensor
    first: int
