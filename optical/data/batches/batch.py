"""Batches as training takes them: padded tensors of one rank's pairs. Free of torch at import time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from jaxtyping import Bool, Float, Int
    from torch import Tensor


@dataclass(frozen=True)
class PairBatch:
    """One rank's share of a global batch of sentence pairs.

    ``weight`` is 1 for a pair and 0 for the filler a rank gets when the batch has fewer pairs than ranks;
    ``global_pairs`` is the number of pairs over all ranks, which the loss is averaged over. ``dataset`` is the number
    of each pair's data set, an index of ``dataset_names``. ``target_embeddings`` are the teacher's, when they come from
    a cache; then the teacher need not read ``target_ids``.
    """

    step: int
    global_pairs: int
    source_ids: Int[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"]
    target_ids: Int[Tensor, "batch target"]
    target_mask: Bool[Tensor, "batch target"]
    weight: Float[Tensor, " batch"]
    dataset: Int[Tensor, " batch"] | None = None
    dataset_names: tuple[str, ...] = ()
    target_embeddings: Float[Tensor, "batch target dim"] | None = None

    @property
    def num_pairs(self) -> int:
        """Pairs of this rank, fillers not counted."""
        return int(self.weight.sum())

    @property
    def num_tokens(self) -> int:
        """Real tokens on both sides, of pairs that count."""
        per_pair = self.source_mask.sum(1) + self.target_mask.sum(1)
        return int((per_pair * self.weight).sum())

    def to(self, device: object) -> Self:
        """The same batch on another device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items() if hasattr(value, "to")})
