"""OPTICAL: optimal-transport distillation (Huang, Yu and Allan 2023, arXiv:2301.12566)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from optical import ot
from optical.data.batches.batch import PairBatch
from optical.errors import require
from optical.objectives._transport import TransportConfig
from optical.objectives.base import Alignment, Embed, Losses, Objective
from optical.ot.settings import LossSettings, Marginals

if TYPE_CHECKING:
    from torch import Tensor, device

    from optical.model.encoder import Encoder
    from optical.model.text.padding import TokenBatch

_ITERATION_FIELDS = ("epsilon", "epsilon_unit", "tolerance", "max_iterations", "acceleration")


@dataclass(frozen=True, kw_only=True)
class Config(TransportConfig, LossSettings):
    """Optimal-transport distillation: the loss is <P, C>; the fields define the transport problem."""

    name: Literal["ot"] = "ot"
    """Which objective: the name of a file in ``optical/objectives``."""
    marginals: Marginals = "uniform"
    """Mass of each token: ``uniform``, or in proportion to its inverse document frequency over the sentences of the
    training bitext (``idf``: rare words get more), or to its vector's length (``norm``)."""

    # Attention would cost a second forward pass of both encoders, and a teacher cache holds none.
    known_marginals: ClassVar[tuple[Marginals, ...]] = ("uniform", "norm", "idf")

    def __post_init__(self) -> None:
        super().__post_init__()
        what = f"is {self.mass}, and the mass of a sentence is 1"
        require(self.mass <= 1, "objective.mass", what, "set more than 0 and at most 1")

    def build(self, teacher: Encoder | None) -> TransportDistillation:
        """The objective, on the CPU."""
        return TransportDistillation(teacher, self)

    def idle(self) -> tuple[str, ...]:
        """The penalty and the mass, for methods without them; for the exact method, the fields of the iterations."""
        of_other_methods = {"penalty": "unbalanced", "mass": "partial"}
        idle = tuple(name for name, method in of_other_methods.items() if method != self.method)
        return idle + (_ITERATION_FIELDS if self.method == "exact" else ())

    def means(self) -> str:
        """The method and its paper."""
        return "optimal transport over bitext (Huang, Yu and Allan 2023, arXiv:2301.12566)"

    def in_words(self) -> str:
        """The transport problem with the settings that its method uses."""
        penalty = f"penalty {self.penalty:g}{self.unit_in_words()}"
        words = {"unbalanced": [penalty], "partial": [f"mass {self.mass:g}"]}
        method_settings = words.get(self.method, [])
        settings = [] if self.method == "exact" else [self.sweeps_in_words()]
        parts = [f"Method {self.method}", self.cost_in_words(), *method_settings, *settings]
        sentence = f"{', '.join(parts)}; {self.tokens_in_words()}."
        if method_settings:
            sentence += " The marginal error is against the marginals that this method asks for."
        return sentence


class TransportDistillation(Objective):
    """Move the student's source embeddings towards the frozen teacher's target embeddings along the transport plan.

    Args:
        teacher: encodes the target side.
        config: the transport problem.
    """

    def __init__(self, teacher: Encoder | None, config: Config) -> None:
        super().__init__(teacher)
        self.config = config
        self._idf: tuple[Tensor, ...] = ()

    def prepare(self, tokens: Path, source_columns: Sequence[str]) -> None:
        """Count in how many sentences each token of either side occurs, if the masses follow from that."""
        if self.config.marginals != "idf":
            return
        import torch

        from optical.data.batches.frequencies import sentence_frequencies
        from optical.data.batches.token_shards import open_tokens

        pairs, sides = open_tokens(tokens), (source_columns, ("target_ids",))
        self._idf = tuple(torch.from_numpy(sentence_frequencies(pairs, columns).idf) for columns in sides)

    def to(self, device: str | device) -> Objective:
        """Move the teacher, if there is one, and the weights of the tokens."""
        self._idf = tuple(side.to(device) for side in self._idf)
        return super().to(device)

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """<P, C> of each pair, with the plan's marginal error, entropy and iterations."""
        result = self.transport(encoder, batch)
        observed = {
            "marginal_error": result.marginal_error,
            "plan_entropy": result.entropy,
            "iterations": result.iterations,
            "unconverged": ~result.converged,
        }
        return Losses(result.value, observed)

    def transport(self, encoder: Embed, batch: PairBatch) -> ot.TransportLoss:
        """The transport problem of each pair, solved."""
        from optical.ot.loss import loss_with

        target = self.targets(encoder, batch)
        source = encoder(batch.source.ids, batch.source.mask)
        masks = self.config.taking_part(batch.source), self.config.taking_part(batch.target)
        if not self._idf:
            return loss_with(self.config, source, target, *masks)
        weights = [_weights(side, idf) for side, idf in zip((batch.source, batch.target), self._idf, strict=True)]
        return loss_with(self.config, source, target, *masks, weights[0], weights[1])

    def alignment(self, encoder: Embed, batch: PairBatch) -> Alignment:
        """The transport plan of each pair."""
        import torch

        with torch.no_grad():
            solved = self.transport(encoder, batch)
        return Alignment(
            plan=solved.plan.matrix,
            source_mask=self.config.taking_part(batch.source),
            target_mask=self.config.taking_part(batch.target),
            source_mass=solved.plan.problem.a,
            captions=tuple(self._caption(solved, pair) for pair in range(batch.num_pairs)),
        )

    def _caption(self, solved: ot.TransportLoss, pair: int) -> str:
        """The solver's result for a pair; the exact method has no iterations."""
        outcome = "converged" if solved.converged[pair] else "NOT converged"
        found = f"cost <P, C> = {solved.value[pair]:.3f}, marginal error {solved.marginal_error[pair]:.1e}"
        if self.config.method == "exact":
            return f"{found}, {outcome}"
        return f"{found}, {outcome} after {int(solved.iterations[pair])} iterations"


def _weights(tokens: TokenBatch, idf: Tensor) -> Tensor:
    """(batch, tokens) the idf of each of a text's own tokens; 1 for what stands around every text."""
    return idf[tokens.ids.clamp_max(len(idf) - 1)].masked_fill(~tokens.inner, 1.0)
