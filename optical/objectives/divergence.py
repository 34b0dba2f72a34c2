"""Sinkhorn divergence: entropic transport without its bias (Feydy et al. 2019, arXiv:1810.08278).

Plain entropic transport draws the student to a contracted copy of the teacher's tokens; its divergence is least where
both clouds are the same (see ``ot.divergence``). Cross-lingual summarisers have been distilled with it
(arXiv:2112.03473).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from optical import ot
from optical.data.batches.batch import PairBatch
from optical.objectives._transport import TransportConfig
from optical.objectives.base import Alignment, Embed, Losses, Objective

if TYPE_CHECKING:
    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(TransportConfig):
    """Sinkhorn divergence OT(x, y) - OT(x, x) / 2 - OT(y, y) / 2, each term with its KL term."""

    name: Literal["divergence"] = "divergence"
    """Which objective: the name of a file in ``optical/objectives``."""

    def build(self, teacher: Encoder | None) -> DivergenceDistillation:
        """The objective, on the CPU."""
        return DivergenceDistillation(teacher, self)

    def in_words(self) -> str:
        """The three transport problems and their settings."""
        return f"Sinkhorn divergence, {self.cost_in_words()}, {self.sweeps_in_words()}; {self.tokens_in_words()}."

    def means(self) -> str:
        """The method and its paper."""
        return "the Sinkhorn divergence over bitext (Feydy et al. 2019, arXiv:1810.08278)"


class DivergenceDistillation(Objective):
    """Move the student's source embeddings to where their Sinkhorn divergence from the teacher's targets is least.

    The gradient flows through both terms that hold the student's embeddings.

    Args:
        teacher: encodes the target side.
        config: the transport problems.
    """

    def __init__(self, teacher: Encoder | None, config: Config) -> None:
        super().__init__(teacher)
        self.config = config

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """The divergence of each pair; the largest marginal error and all iterations of its three problems."""
        found = self.divergence(encoder, batch)
        between, *within = found.between, found.within_source, found.within_target
        error, iterations = between.marginal_error, between.iterations
        for problem in within:
            error, iterations = error.maximum(problem.marginal_error), iterations + problem.iterations
        observed = {
            "marginal_error": error,
            "plan_entropy": between.entropy,
            "iterations": iterations,
            "unconverged": ~found.converged,
        }
        return Losses(found.value, observed)

    def divergence(self, encoder: Embed, batch: PairBatch) -> ot.Divergence:
        """The Sinkhorn divergence of each pair."""
        from optical.ot.divergence import divergence_with

        target = self.targets(encoder, batch)
        source = encoder(batch.source.ids, batch.source.mask)
        masks = self.config.taking_part(batch.source), self.config.taking_part(batch.target)
        return divergence_with(self.config, source, target, *masks)

    def alignment(self, encoder: Embed, batch: PairBatch) -> Alignment:
        """The transport plan between the two sentences of each pair."""
        import torch

        with torch.no_grad():
            found = self.divergence(encoder, batch)
        plan = found.between.plan
        words = [("NOT converged", "converged")[int(done)] for done in found.converged]
        return Alignment(
            plan=plan.matrix,
            source_mask=self.config.taking_part(batch.source),
            target_mask=self.config.taking_part(batch.target),
            source_mass=plan.problem.a,
            captions=tuple(
                f"divergence {value:.3f}, <P, C> = {cost:.3f}, {done}"
                for value, cost, done in zip(found.value, plan.transport_cost, words, strict=True)
            ),
        )
