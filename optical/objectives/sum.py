"""A weighted sum of objectives, such as optimal transport plus 0.3 times pooled distillation.

Each side of a batch is encoded once, however many terms read it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from optical.data.batches.batch import PairBatch
from optical.objectives._terms import Term, parsed
from optical.objectives.base import Alignment, Embed, Losses, Objective, ObjectiveConfig

if TYPE_CHECKING:
    from torch import Tensor, device

    from optical.model.encoder import Encoder


@dataclass(frozen=True, kw_only=True)
class Config(ObjectiveConfig):
    """The weighted sum of the losses of other objectives.

    Raises:
        UserError: a term that cannot be read; names the term.
    """

    name: Literal["sum"] = "sum"
    """Which objective: the name of a file in ``optical/objectives``."""
    terms: tuple[str, ...] = ("ot", "0.3*pooled")
    """The objectives, each with its weight (1 if none is given) and its fields: ``ot``, ``0.3*pooled``,
    ``0.5*ot(epsilon=0.05,epsilon_unit=mean_cost)``. A field that is not given has the default of the objective. In a
    shell, put a term with a star or parentheses in quotes."""

    def __post_init__(self) -> None:
        # Any fault is reported here, not when the terms are first used.
        _ = self.parsed

    @cached_property
    def parsed(self) -> tuple[Term, ...]:
        """The terms, with the configurations of their objectives."""
        return parsed(self.terms)

    @property
    def divisible(self) -> bool:  # type: ignore[override]
        """Whether every term takes parts of a batch."""
        return all(term.config.divisible for term in self.parsed)

    @property
    def gathers(self) -> bool:  # type: ignore[override]
        """Whether every term takes several workers."""
        return all(term.config.takes_workers for term in self.parsed)

    @property
    def judged_by_dev(self) -> bool:  # type: ignore[override]
        """Whether every term teaches the teacher's ranking."""
        return all(term.config.judged_by_dev for term in self.parsed)

    def build(self, teacher: Encoder | None) -> WeightedSum:
        """The objective, on the CPU."""
        return WeightedSum(teacher, self)

    def decisive_parts(self) -> dict[str, object]:
        """The terms by what decides their results, however they are written."""
        return {"terms": [term.decisive() for term in self.parsed]}

    def in_words(self) -> str:
        """The terms, each with its weight."""
        return " ".join(f"Term {term.label}, weight {term.weight:g}: {term.config.in_words()}" for term in self.parsed)

    def means(self) -> str:
        """The means of all terms, each with its weight."""
        return "a weighted sum: " + ", and ".join(
            f"{term.weight:g} times {term.config.means()}" for term in self.parsed
        )


class WeightedSum(Objective):
    """The weighted sum of the losses of several objectives, which share the frozen teacher.

    Args:
        teacher: encodes the target side.
        config: the terms.
    """

    def __init__(self, teacher: Encoder | None, config: Config) -> None:
        super().__init__(teacher)
        self.terms = [(term, term.config.build(teacher)) for term in config.parsed]

    def prepare(self, tokens: Path, source_columns: Sequence[str]) -> None:
        """Prepare every term."""
        for _, objective in self.terms:
            objective.prepare(tokens, source_columns)

    def to(self, device: str | device) -> Objective:
        """Move the teacher, if there is one, and what the terms have prepared."""
        for _, objective in self.terms:
            objective.to(device)
        return super().to(device)

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """The weighted sum for each pair; every term's own loss and measurements, under its name."""
        once = EncodedOnce(encoder)
        batch = replace(batch, target_embeddings=self.targets(once, batch))
        found = [(term, objective.losses(once, batch)) for term, objective in self.terms]
        observed: dict[str, Tensor] = {}
        for term, losses in found:
            values = {"loss": losses.value.detach(), **losses.observed}
            observed |= {f"{term.label}_{name}": value for name, value in values.items()}
        (first, losses), *others = found
        value = first.weight * losses.value
        for term, losses in others:
            value = value + term.weight * losses.value
        return Losses(value, observed)

    def alignment(self, encoder: Embed, batch: PairBatch) -> Alignment | None:
        """The alignment of the first term that aligns tokens."""
        for term, objective in self.terms:
            if found := objective.alignment(encoder, batch):
                return replace(found, captions=tuple(f"{term.label}: {caption}" for caption in found.captions))
        return None


class EncodedOnce:
    """An encoder that remembers what it has encoded: the same tensors are encoded once, with one place on the tape.

    It lives for one batch.

    Args:
        encoder: what encodes.
    """

    def __init__(self, encoder: Embed) -> None:
        self._encoder = encoder
        self._known: list[tuple[Tensor, Tensor, Tensor]] = []

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        """(batch, tokens, dim) token embeddings."""
        for known_ids, known_mask, embeddings in self._known:
            if known_ids is ids and known_mask is mask:
                return embeddings
        embeddings = self._encoder(ids, mask)
        self._known.append((ids, mask, embeddings))
        return embeddings
