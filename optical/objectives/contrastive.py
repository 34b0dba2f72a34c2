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
    judged_by_dev: ClassVar[bool] = False

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

    Scores are MaxSim divided by the source's number of scoring tokens and by ``temperature``. Ranks gather their
    targets with gradients, so a source has the same negatives on any number of workers. Fillers are no negatives, nor
    are texts equal to a source's own target, which may be the target of several questions; every other text counts
    once.

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
        documents = batch_documents(self, encoder, batch)
        own = documents.first + torch.arange(len(sources), device=sources.device)
        scores = maxsim(sources, batch.source.scored, documents.embeddings, documents.scored)
        logits = scores / batch.source.scored.sum(1, keepdim=True) / self.temperature
        is_own = torch.nn.functional.one_hot(own, len(documents.text)).bool()
        negative = documents.once & (documents.text[own, None] != documents.text)
        logits = logits.masked_fill(~(is_own | negative), -torch.inf)
        entropy = torch.nn.functional.cross_entropy(logits, own, reduction="none")
        correct = (logits.detach().argmax(1) == own).float()
        return Losses(entropy, {"in_batch_accuracy": correct})


@dataclass(frozen=True)
class Documents:
    """The documents that a rank's sources are scored against, of all ranks.

    Args:
        embeddings: (documents, tokens, dim).
        scored: (documents, tokens) the tokens that score.
        text: (documents,) a number for each text; equal texts have equal numbers.
        once: (documents,) whether a document is the first of its text, fillers not counted.
        first: place of the target of this rank's first pair.
    """

    embeddings: Tensor
    scored: Tensor
    text: Tensor
    once: Tensor
    first: int


def batch_documents(objective: Objective, encoder: Embed, batch: PairBatch) -> Documents:
    """The targets of the global batch, and the mined negatives if it has any."""
    import torch

    from optical.model.gathered import gathered, padded_to

    sides = [batch.target, *([batch.negative] if batch.negative else [])]
    shape = len(batch.weight), max(side.ids.shape[1] for side in sides)
    mined = [objective.embed_targets(encoder, side) for side in sides[1:]]
    parts = [padded_to(part, shape) for part in (objective.targets(encoder, batch), *mined)]
    embeddings, first = gathered(torch.cat(parts))
    scored, _ = gathered(torch.cat([padded_to(side.scored, shape) for side in sides]))
    # Padding has the number -1, so that equal rows are equal texts.
    read = [side.ids.masked_fill(~(side.mask | side.scored), -1) for side in sides]
    ids, _ = gathered(torch.cat([padded_to(part, shape, -1) for part in read]), -1)
    counts, _ = gathered((batch.weight > 0).repeat(len(sides)))
    text = torch.unique(ids, dim=0, return_inverse=True)[1]
    place = torch.arange(len(text), device=text.device)
    earliest = place.new_full((len(text),), len(text)).scatter_reduce(0, text[counts], place[counts], "amin")
    return Documents(embeddings, scored, text, earliest[text] == place, first)
