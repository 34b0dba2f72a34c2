"""Batches as training takes them, and how they are padded from ragged rows. Importing this imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa
    from jaxtyping import Float, Int
    from torch import Tensor

    from optical.data.batches.teacher_cache import TargetEmbeddings
    from optical.data.batches.token_shards import TokenPairs
    from optical.model.text.frame import Frames
    from optical.model.text.padding import TokenBatch


@dataclass(frozen=True)
class PairBatch:
    """One rank's share of a global batch of sentence pairs.

    ``weight`` is 1 for a pair and 0 for the filler a rank gets when the batch has fewer pairs than ranks;
    ``global_pairs`` is the number of pairs over all ranks, which the loss is averaged over. ``dataset`` is the number
    of each pair's data set, an index of ``dataset_names``. ``target_embeddings`` are the teacher's, when they come from
    a cache; then the teacher need not read ``target``. ``negative`` are the mined negatives of a teacher's training,
    one of each pair; that of a pair without one is its own target.
    """

    step: int
    global_pairs: int
    source: TokenBatch
    target: TokenBatch
    weight: Float[Tensor, " batch"]
    dataset: Int[Tensor, " batch"] | None = None
    dataset_names: tuple[str, ...] = ()
    target_embeddings: Float[Tensor, "batch target dim"] | None = None
    negative: TokenBatch | None = None

    @property
    def num_pairs(self) -> int:
        """Pairs of this rank, fillers not counted."""
        return int(self.weight.sum())

    @property
    def num_tokens(self) -> int:
        """Real tokens on both sides, of pairs that count."""
        per_pair = self.source.mask.sum(1) + self.target.mask.sum(1)
        return int((per_pair * self.weight).sum())

    def rows(self, chosen: slice) -> Self:
        """Some of the pairs, with the same padding."""
        return replace(
            self,
            source=self.source.rows(chosen),
            target=self.target.rows(chosen),
            weight=self.weight[chosen],
            dataset=None if self.dataset is None else self.dataset[chosen],
            target_embeddings=None if self.target_embeddings is None else self.target_embeddings[chosen],
            negative=None if self.negative is None else self.negative.rows(chosen),
        )

    def to(self, device: object) -> Self:
        """The same batch on another device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items() if hasattr(value, "to")})


def collate(
    block: pa.Table, frames: Frames, dataset_names: tuple[str, ...] = (), targets: TargetEmbeddings | None = None
) -> Iterator[PairBatch]:
    """The batches of a block (``feed.RAGGED``), step by step, each padded to its own longest sentences.

    With a teacher cache (``targets``) each batch holds its target embeddings too.
    """
    from optical.data.batches.token_shards import NEGATIVE, TokenPairs

    step, global_pairs, weight = (block[name].to_numpy() for name in ("step", "global_pairs", "weight"))
    position, dataset, source_ids, target_ids = (
        block[name].combine_chunks() for name in ("position", "dataset", "source_ids", "target_ids")
    )
    negative_ids = block[NEGATIVE].combine_chunks() if NEGATIVE in block.column_names else None
    for row in range(len(block)):
        source, target = _cell(source_ids, row), _cell(target_ids, row)
        mined = None if negative_ids is None else _cell(negative_ids, row)
        # The feed has already put English sides among the sources, so the column for them is idle here.
        pairs = TokenPairs(_cell(dataset, row).to_numpy(), source, target, target, frames, mined)
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

    from optical.model.text.padding import pad

    return PairBatch(
        step,
        global_pairs or len(pairs),
        pad(pairs.source_ids, pairs.frames.source),
        pad(pairs.target_ids, pairs.frames.target),
        torch.full((len(pairs),), weight),
        torch.from_numpy(pairs.dataset.astype("int64")),
        dataset_names,
        negative=None if pairs.negative_ids is None else pad(pairs.negative_ids, pairs.frames.target),
    )


def _cell(column: pa.ListArray, row: int) -> pa.Array:
    start, end = column.offsets[row].as_py(), column.offsets[row + 1].as_py()
    return column.values[start:end]
