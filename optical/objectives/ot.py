"""OPTICAL: optimal-transport distillation (Huang, Yu and Allan 2023, arXiv:2301.12566)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from optical import ot
from optical.data.batches.batch import PairBatch
from optical.errors import require
from optical.objectives.base import Alignment, Embed, Losses, Objective, ObjectiveConfig
from optical.ot.settings import LossSettings, Marginals

if TYPE_CHECKING:
    from torch import Tensor, device

    from optical.model.encoder import Encoder
    from optical.model.text.padding import TokenBatch

_ITERATION_FIELDS = ("epsilon", "epsilon_unit", "tolerance", "max_iterations", "acceleration")


@dataclass(frozen=True, kw_only=True)
class Config(LossSettings, ObjectiveConfig):
    """Optimal-transport distillation: the loss is <P, C>; the fields define the transport problem."""

    name: Literal["ot"] = "ot"
    """Which objective: the name of a file in ``optical/objectives``."""
    tolerance: float = 1e-3
    """Marginal error (L1) at which a problem counts as converged; 0 runs every sweep allowed."""
    max_iterations: int = 100
    """Most sweeps for one batch, Newton steps included."""
    special_tokens: Literal["drop", "keep"] = "drop"
    """Whether special tokens, markers, prefixes and query augmentation take part in the alignment."""

    marginals: Marginals = "uniform"
    """Mass of each token: ``uniform``, or in proportion to its inverse document frequency over the sentences of the
    training bitext (``idf``: rare words get more), or to its vector's length (``norm``)."""

    section: ClassVar[str] = "objective."

    def __post_init__(self) -> None:
        super().__post_init__()
        what = f"is {self.mass}, and the mass of a sentence is 1"
        require(self.mass <= 1, "objective.mass", what, "set more than 0 and at most 1")
        # Attention would cost a second forward pass of both encoders, and a teacher cache holds none.
        what = f"is {self.marginals!r}, and the objective has no such weights per token"
        known = self.marginals in ("uniform", "norm", "idf")
        require(known, "objective.marginals", what, "choose from uniform, norm, idf")
        require(
            self.special_tokens in ("drop", "keep"),
            "objective.special_tokens",
            f"is {self.special_tokens!r}",
            "choose from drop, keep",
        )

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
        cost = f"{self.cost.replace('_', ' ')} cost"
        if self.order_weight:
            cost += f" + {self.order_weight:g} |i/n - j/m|"
        unit = " of each pair's mean cost" if self.epsilon_unit == "mean_cost" else ""
        words = {"unbalanced": [f"penalty {self.penalty:g}{unit}"], "partial": [f"mass {self.mass:g}"]}
        method_settings = words.get(self.method, [])
        stopping = f"tolerance {self.tolerance:g}, at most {self.max_iterations} iterations"
        settings = [] if self.method == "exact" else [f"epsilon {self.epsilon:g}{unit}", stopping]
        parts = [f"Method {self.method}", cost, *method_settings, *settings]
        masses = "uniform masses" if self.marginals == "uniform" else f"masses by {self.marginals}"
        special = "left out" if self.special_tokens == "drop" else "taking part"
        sentence = f"{', '.join(parts)}; {masses}, special tokens {special}."
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
        masks = self.aligned(batch.source), self.aligned(batch.target)
        if not self._idf:
            return loss_with(self.config, source, target, *masks)
        weights = [_weights(side, idf) for side, idf in zip((batch.source, batch.target), self._idf, strict=True)]
        return loss_with(self.config, source, target, *masks, weights[0], weights[1])

    def aligned(self, tokens: TokenBatch) -> Tensor:
        """(batch, tokens) whether a token takes part: all that score in MaxSim, or the text's own alone."""
        return tokens.inner if self.config.special_tokens == "drop" else tokens.scored

    def alignment(self, encoder: Embed, batch: PairBatch) -> Alignment:
        """The transport plan of each pair."""
        import torch

        with torch.no_grad():
            solved = self.transport(encoder, batch)
        return Alignment(
            plan=solved.plan.matrix,
            source_mask=self.aligned(batch.source),
            target_mask=self.aligned(batch.target),
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
