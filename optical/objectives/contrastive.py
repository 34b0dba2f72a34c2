"""In-batch contrastive MaxSim: how a late-interaction teacher is trained from question-passage pairs."""

import torch

from optical.data.batches.batch import PairBatch
from optical.model.maxsim import maxsim
from optical.objectives.base import Embed, Outcome


class InBatchContrastive:
    """Softmax cross-entropy of each question's own passage against the other passages on this rank.

    Scores are MaxSim divided by the question's number of tokens and by ``temperature``. Negatives are the rank's
    own passages: with more workers each question sees fewer of them.
    """

    def __init__(self, temperature: float) -> None:
        self.temperature = temperature

    def to(self, device: object) -> "InBatchContrastive":
        """Nothing to move."""
        return self

    def __call__(self, encoder: Embed, batch: PairBatch) -> Outcome:
        """Mean cross-entropy over the batch, with the share of questions ranking their passage first."""
        questions = encoder(batch.source_ids, batch.source_mask)
        passages = encoder(batch.target_ids, batch.target_mask)
        scores = maxsim(questions, batch.source_mask, passages, batch.target_mask)
        logits = scores / batch.source_mask.sum(1, keepdim=True) / self.temperature
        own = torch.arange(len(logits), device=logits.device)
        entropy = torch.nn.functional.cross_entropy(logits, own, reduction="none")
        weight = batch.weight / batch.global_pairs
        correct = (logits.detach().argmax(1) == own).float()
        observed = {"in_batch_accuracy": (correct * weight).sum()}
        return Outcome((entropy * weight).sum(), observed, entropy.detach())
