"""The interface every objective shares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor

from optical.data.batches.batch import PairBatch

Embed = Callable[[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]], Float[Tensor, "batch tokens dim"]]
"""The encoder being trained, bare or wrapped for data-parallel training."""


@dataclass(frozen=True)
class Outcome:
    """The loss of a batch and what was observed on the way.

    ``loss`` is the sum over this rank's pairs divided by ``global_pairs``, so that summing over ranks gives the
    mean over the global batch. ``observed`` are detached scalars, averaged likewise. ``pair_loss`` is the detached
    loss of each pair, for the loss of each data set in a mixture; without it only the whole loss is known.
    """

    loss: Float[Tensor, ""]
    observed: dict[str, Float[Tensor, ""]]
    pair_loss: Float[Tensor, " batch"] | None = None


class Objective(Protocol):
    """Measures an encoder on a batch."""

    def __call__(self, encoder: Embed, batch: PairBatch) -> Outcome:
        """The loss of ``encoder`` on ``batch``."""
        ...

    def to(self, device: object) -> "Objective":
        """Move any frozen model the objective holds."""
        ...
