"""OPTICAL: optimal-transport distillation (Huang, Yu and Allan 2023, arXiv:2301.12566)."""

from dataclasses import asdict

import torch
from jaxtyping import Bool
from torch import Tensor

from optical.data.batches.batch import PairBatch
from optical.model.encoder import Encoder
from optical.model.text import inner_mask
from optical.objectives.base import Embed, Outcome
from optical.objectives.config import ObjectiveConfig
from optical.ot.loss import transport_loss
from optical.ot.transported import TransportLoss


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
        result = self.transport(encoder, batch)
        weight = batch.weight / batch.global_pairs
        observed = {
            "marginal_error": (result.marginal_error * weight).sum(),
            "plan_entropy": (result.entropy * weight).sum(),
            "iterations": (result.iterations * weight).sum(),
            "unconverged": ((~result.converged) * weight).sum(),
        }
        return Outcome((result.value * weight).sum(), observed, result.value.detach())

    def transport(self, encoder: Embed, batch: PairBatch) -> TransportLoss:
        """The transport problem of each pair, solved: the loss is made of it, and so is every picture of a plan."""
        target = batch.target_embeddings
        if target is None:
            with torch.no_grad():
                target = self.teacher(batch.target_ids, batch.target_mask)
        source = encoder(batch.source_ids, batch.source_mask)
        masks = self.aligned(batch.source_mask), self.aligned(batch.target_mask)
        return transport_loss(source, target.float(), *masks, **self._problem)

    def aligned(self, mask: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch tokens"]:
        """Which of a side's real tokens take part in the alignment: all, or all but [CLS] and [SEP]."""
        return inner_mask(mask) if self.config.special_tokens == "drop" else mask
