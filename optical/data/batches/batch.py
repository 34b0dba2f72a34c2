"""Batches as training takes them, and how they are padded from ragged rows. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa
    from jaxtyping import Bool, Float, Int
    from torch import Tensor

    from optical.data.batches.teacher_cache import TargetEmbeddings
    from optical.data.batches.token_shards import TokenPairs


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
    negative_ids: Int[Tensor, "batch negative"] | None = None
    negative_mask: Bool[Tensor, "batch negative"] | None = None

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


def collate(
    block: pa.Table, dataset_names: tuple[str, ...] = (), targets: TargetEmbeddings | None = None
) -> Iterator[PairBatch]:
    """The batches of a block (``feed.RAGGED``), step by step, each padded to its own longest sentences.

    With a teacher cache (``targets``) each batch holds its target embeddings too.
    """
    from optical.data.batches.token_shards import TokenPairs

    step, global_pairs, weight = (block[name].to_numpy() for name in ("step", "global_pairs", "weight"))
    position, dataset, source_ids, target_ids = (
        block[name].combine_chunks() for name in ("position", "dataset", "source_ids", "target_ids")
    )
    for row in range(len(block)):
        pairs = TokenPairs(_cell(dataset, row).to_numpy(), _cell(source_ids, row), _cell(target_ids, row))
        batch = padded(pairs, int(step[row]), int(global_pairs[row]), float(weight[row]), dataset_names)
        embeddings = targets.padded(_cell(position, row).to_numpy()) if targets else None
        yield replace(batch, target_embeddings=embeddings)


def padded(
    pairs: TokenPairs,
    step: int = 0,
    global_pairs: int = 0,
    weight: float = 1.0,
    dataset_names: tuple[str, ...] = (),
) -> PairBatch:
    """Pairs as one batch, all of the same weight; 0 ``global_pairs`` means as many as there are here."""
    import torch

    from optical.model.text import pad

    return PairBatch(
        step,
        global_pairs or len(pairs),
        *pad(pairs.source_ids),
        *pad(pairs.target_ids),
        torch.full((len(pairs),), weight),
        torch.from_numpy(pairs.dataset.astype("int64")),
        dataset_names,
    )


def _cell(column: pa.ListArray, row: int) -> pa.Array:
    start, end = column.offsets[row].as_py(), column.offsets[row + 1].as_py()
    return column.values[start:end]
