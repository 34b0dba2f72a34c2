"""The interface of every objective: its configuration, its losses, and its alignment for the report.

This file imports no torch when it is loaded, because recipes hold configurations and must load fast.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from optical.data.batches.batch import PairBatch
from optical.errors import require

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor, device

    from optical.model.encoder import Encoder
    from optical.model.text.padding import TokenBatch

Embed = Callable[..., "Tensor"]
"""The trained encoder, plain or wrapped for data-parallel training: (ids, mask) to token embeddings."""


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """The loss that training minimises."""

    name: str
    """Which objective: the name of a file in ``optical/objectives``."""

    version: ClassVar[int] = 1
    """Raise it when the same settings give other results: what an older version made is then made anew."""
    divisible: ClassVar[bool] = True
    """Whether a batch may be computed in parts, on several workers or one after the other (``train.accumulate``);
    false if pairs of a batch are compared with each other."""
    gathers: ClassVar[bool] = False
    """Whether an objective that is not ``divisible`` may take several workers all the same, because it gathers what it
    compares from all of them, and the update is the same on any number."""
    judged_by_dev: ClassVar[bool] = True
    """Whether ``dev_spearman`` can compare its students with those of another objective: false if it teaches another
    ranking than the teacher's."""

    @property
    def takes_workers(self) -> bool:
        """Whether several workers give the same result as one."""
        return self.divisible or self.gathers

    def build(self, teacher: Encoder | None) -> Objective:
        """The objective, on the CPU.

        Args:
            teacher: the frozen encoder of the target side; None if the trained encoder encodes both sides.
        """
        raise NotImplementedError

    def idle(self) -> tuple[str, ...]:
        """Names of the fields that do not change results, given the values of the other fields."""
        return ()

    def in_words(self) -> str:
        """The loss in one sentence, for the report."""
        return f"Objective {self.name}."

    def means(self) -> str:
        """By what a student is distilled, inside a sentence of its model card, with the reference if there is one."""
        return f"the objective {self.name} over bitext"

    def decisive_parts(self) -> dict[str, object]:
        """Plain values that stand in fingerprints for the fields that configure other objectives, by field."""
        return {}


@dataclass(frozen=True, kw_only=True)
class TokensConfig(ObjectiveConfig):
    """An objective over the tokens of both sides.

    Raises:
        UserError: an impossible value.
    """

    special_tokens: Literal["drop", "keep"] = "drop"
    """Whether special tokens, markers, prefixes and query augmentation take part."""

    def __post_init__(self) -> None:
        known = self.special_tokens in ("drop", "keep")
        require(known, "objective.special_tokens", f"is {self.special_tokens!r}", "choose from drop, keep")

    def taking_part(self, tokens: TokenBatch) -> Bool[Tensor, "batch tokens"]:
        """Whether a token takes part: all that score in MaxSim, or the text's own alone."""
        return tokens.inner if self.special_tokens == "drop" else tokens.scored

    def special_in_words(self) -> str:
        """Which tokens take part, for the end of a sentence."""
        return f"special tokens {'left out' if self.special_tokens == 'drop' else 'taking part'}"


@dataclass(frozen=True)
class Losses:
    """The loss of each pair of a batch, on autograd's tape, and detached measurements of each pair.

    Shapes: ``value`` and every observation are (batch,).
    """

    value: Float[Tensor, " batch"]
    observed: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """The loss and the measurements of a batch.

    ``loss`` is the sum over this rank's pairs divided by ``global_pairs``, so that summing over ranks gives the mean
    over the global batch. ``observed`` are detached scalars, averaged likewise. ``pair_loss`` is the detached loss of
    each pair, from which the loss of each data set in a mixture is computed; without it only ``loss`` is logged.
    """

    loss: Float[Tensor, ""]
    observed: dict[str, Float[Tensor, ""]]
    pair_loss: Float[Tensor, " batch"] | None = None


def averaged(losses: Losses, batch: PairBatch) -> Outcome:
    """The share of a rank's pairs in the means over the global batch."""
    weight = batch.weight / batch.global_pairs
    observed = {name: (value * weight).sum() for name, value in losses.observed.items()}
    return Outcome((losses.value * weight).sum(), observed, losses.value.detach())


@dataclass(frozen=True)
class Alignment:
    """How an objective aligns the tokens of a batch of sentence pairs, for the report.

    Args:
        plan: (batch, source, target) share of mass moved from each source token to each target token, or the weights of
            an alignment without transport.
        source_mask: (batch, source) source tokens that take part.
        target_mask: (batch, target) target tokens that take part.
        source_mass: (batch, source) mass of each source token; without transport, the weight of the heaviest one.
        captions: a sentence for each pair.
        is_transport: whether the plan solves a transport problem.
    """

    plan: Float[Tensor, "batch source target"]
    source_mask: Bool[Tensor, "batch source"]
    target_mask: Bool[Tensor, "batch target"]
    source_mass: Float[Tensor, "batch source"]
    captions: tuple[str, ...]
    is_transport: bool = True


class Objective(ABC):
    """Computes the loss of an encoder on a batch. A subclass defines ``losses``; other methods have a default.

    Args:
        teacher: the frozen encoder of the target side; None if the trained encoder encodes both sides.
    """

    def __init__(self, teacher: Encoder | None) -> None:
        self.teacher = teacher.eval().requires_grad_(False) if teacher is not None else None

    def prepare(self, tokens: Path, source_columns: Sequence[str]) -> None:  # noqa: B027 - most objectives need nothing
        """Take from the training pairs what the losses need of all of them; called once, before anything is computed.

        Args:
            tokens: tokens artefact of the training.
            source_columns: its columns whose ids come as sources.
        """

    @abstractmethod
    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """The loss of each pair."""

    def __call__(self, encoder: Embed, batch: PairBatch) -> Outcome:
        """The contribution of this rank's pairs to the mean loss over the global batch."""
        return averaged(self.losses(encoder, batch), batch)

    def to(self, device: str | device) -> Objective:
        """Move the teacher, if there is one."""
        if self.teacher is not None:
            self.teacher.to(device)
        return self

    def targets(self, encoder: Embed, batch: PairBatch) -> Tensor:
        """(batch, target, dim) float32 embeddings of the target side: cached, of the teacher, or of ``encoder``."""
        if batch.target_embeddings is not None:
            return batch.target_embeddings.float()
        return self.embed_targets(encoder, batch.target)

    def embed_targets(self, encoder: Embed, texts: TokenBatch) -> Tensor:
        """(batch, tokens, dim) float32 embeddings of texts of the target side, of the teacher or of ``encoder``."""
        import torch

        if self.teacher is None:
            return encoder(texts.ids, texts.mask)
        with torch.no_grad():
            return self.teacher(texts.ids, texts.mask).float()

    def reference(self, encoder: Encoder) -> Encoder:
        """The encoder to which the dev measures compare the ranking of ``encoder``."""
        return encoder if self.teacher is None else self.teacher

    def alignment(self, encoder: Embed, batch: PairBatch) -> Alignment | None:
        """How the objective aligns the tokens of each pair; None if it aligns no tokens."""
        return None
