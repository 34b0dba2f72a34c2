"""OPTICAL: optimal-transport distillation (Huang, Yu and Allan 2023, arXiv:2301.12566)."""

from dataclasses import asdict

import torch

from optical.config import ObjectiveConfig
from optical.data.batches import PairBatch
from optical.model.encoder import Encoder, inner_mask
from optical.objectives.base import Embed, Outcome
from optical.ot.loss import transport_loss


class TransportDistillation:
    """Pull the student's source tokens towards the frozen teacher's target tokens along the transport plan."""

    def __init__(self, teacher: Encoder, config: ObjectiveConfig) -> None:
        self.teacher = teacher.eval().requires_grad_(False)
        self.config = config
        fields = asdict(config)
        self._problem = {name: fields[name] for name in fields.keys() - {"name", "special_tokens"}}

    def to(self, device: object) -> "TransportDistillation":
        """Move the teacher."""
        self.teacher.to(device)
        return self

    def __call__(self, encoder: Embed, batch: PairBatch) -> Outcome:
        """Mean <P, C> over the batch, with the plan's marginal error, entropy and sweeps observed."""
        target = batch.target_embeddings
        if target is None:
            with torch.no_grad():
                target = self.teacher(batch.target_ids, batch.target_mask)
        source = encoder(batch.source_ids, batch.source_mask)
        chosen = inner_mask if self.config.special_tokens == "drop" else torch.clone
        result = transport_loss(
            source,
            target.float(),
            chosen(batch.source_mask),
            chosen(batch.target_mask),
            **self._problem,
        )
        weight = batch.weight / batch.global_pairs
        observed = {
            "marginal_error": (result.marginal_error * weight).sum(),
            "plan_entropy": (result.entropy * weight).sum(),
            "iterations": (result.iterations * weight).sum(),
            "unconverged": ((~result.converged) * weight).sum(),
        }
        return Outcome((result.value * weight).sum(), observed, result.value.detach())
