"""Ray Data stream from token shards to one rank's batches.

The schedule decides everything; the tasks only gather and move the rank's share of each global batch, window by
window, as ragged rows that are cheap to send between processes. Each task serves one window, and waits while the
trainer has enough. At most two tasks work at a time: the next window is ready when one ends, and the rows made ahead
are bounded whatever the size of the corpus. Tasks import this file, so it imports no torch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import ray
from ray.data.collate_fn import ArrowBatchCollateFn

from optical.data.batches.batch import PairBatch, collate
from optical.data.batches.config import BatchConfig
from optical.data.batches.schedule import Order, Packing, Schedule, Stretch, pack
from optical.data.batches.token_shards import NEGATIVE, TokenPairs, TokenShards
from optical.data.bitext.stream import one_block_each, ordered_and_quiet
from optical.errors import DataError
from optical.model.text.frame import Frames
from optical.model.text.tokens import IDS

if TYPE_CHECKING:
    from optical.data.batches.teacher_cache import TargetEmbeddings

RAGGED = pa.schema(
    [
        ("step", pa.int64()),
        ("global_pairs", pa.int64()),
        ("weight", pa.float32()),
        ("position", pa.list_(pa.int64())),
        ("dataset", pa.list_(pa.int16())),
        ("source_ids", pa.list_(IDS)),
        ("target_ids", pa.list_(IDS)),
    ]
)
"""One rank's share of one step before padding; pairs with mined negatives have the column ``NEGATIVE`` too."""
_MINED = pa.field(NEGATIVE, pa.list_(IDS))
_PAIRS_PER_BLOCK = 2048
_WINDOWS_AHEAD = 2
_BLOCK_BYTES = 2 << 20
_BLOCKS_AHEAD = 2


def rank_batches(
    schedule: Schedule, start: int, rank: int, world_size: int, targets: TargetEmbeddings | None = None
) -> Iterator[PairBatch]:
    """This rank's batches from step ``start`` to the end, gathered by Ray Data tasks ahead of their use.

    Cached ``targets`` join them in the calling process: they are read from disk where they are needed, never sent.
    """
    ordered_and_quiet()
    ray.data.DataContext.get_current().target_max_block_size = _BLOCK_BYTES
    blocks = one_block_each(map(asdict, schedule.stretches(start))).map_batches(
        gather,  # type: ignore[arg-type]  # Ray's type has no keyword arguments
        fn_kwargs={"share": RankShare.of(schedule, rank, world_size)},
        batch_size=None,
        batch_format="pyarrow",
        # Trainers may hold every CPU of a cluster (an elastic run takes all it finds); a task that needs one would
        # never start, and the trainers would wait for it.
        num_cpus=0,
        compute=ray.data.TaskPoolStrategy(_WINDOWS_AHEAD),
    )
    collate_fn: Any = _Collate(schedule.tokens.frames, schedule.tokens.dataset_names, targets)
    padded: Any = blocks.iter_torch_batches(batch_size=None, collate_fn=collate_fn, prefetch_batches=_BLOCKS_AHEAD)
    for batches in padded:
        yield from batches


@dataclass(frozen=True, eq=False)
class RankShare:
    """The share of one rank: the pairs of every global batch whose place is congruent to the rank.

    Args:
        tokens: where the pairs are.
        order: in which order they come.
        config: how they are batched.
        rank: whose share this is.
        world_size: number of ranks.
        pairs_per_block: about how many pairs are gathered together.
    """

    tokens: TokenShards
    order: Order
    config: BatchConfig
    rank: int = 0
    world_size: int = 1
    pairs_per_block: int = _PAIRS_PER_BLOCK

    @classmethod
    def of(
        cls, schedule: Schedule, rank: int = 0, world_size: int = 1, pairs_per_block: int = _PAIRS_PER_BLOCK
    ) -> RankShare:
        """A rank's share of a schedule."""
        return cls(schedule.tokens, schedule.order, schedule.config, rank, world_size, pairs_per_block)

    def blocks(self, stretch: Stretch) -> Iterator[pa.Table]:
        """The share of a stretch as tables of ``RAGGED``, some steps each; reads the row groups of one window.

        Raises:
            DataError: the pairs are not of the lengths the schedule was made from.
        """
        positions = self.order.window(stretch.epoch, stretch.window)
        pairs = self.tokens.take(positions).cut(self.config.source_length, self.config.target_length)
        widths = pairs.lengths.widths(pairs.frames, self.config.source_length, self.config.target_length)
        generator = self.order.batches_generator(stretch.epoch, stretch.window)
        ordered = self.config.mixture.curriculum and stretch.epoch == 0
        packing = pack(widths, self.config, generator, ordered)
        if len(packing.ends) != stretch.num_batches:
            what = f"{stretch} has {len(packing.ends)} batches, so lengths.parquet and the shards disagree"
            raise DataError(self.tokens.folder, what, "delete the directory and rerun")
        sources = self._sources(pairs)
        steps = max(1, self.pairs_per_block * self.world_size // self.config.batch_pairs)
        for first in range(stretch.first_batch, stretch.end_batch, steps):
            batches = np.arange(first, min(first + steps, stretch.end_batch))
            step = pa.array(batches + (stretch.first_step - stretch.first_batch))
            columns = self._columns(positions, pairs, sources, packing, batches.tolist())
            mined = pairs.negative_ids is not None
            yield pa.table([step, *columns], schema=RAGGED.append(_MINED) if mined else RAGGED)

    def _sources(self, pairs: TokenPairs) -> pa.ListArray:
        """Row i is the source of pair i; in a run with monolingual pairs, row n + i is its English side."""
        if not self.config.mixture.mono_share:
            return pairs.source_ids
        return pa.concat_arrays([pairs.source_ids, pairs.mono_ids])

    def _columns(
        self, positions: np.ndarray, pairs: TokenPairs, sources: pa.ListArray, packing: Packing, batches: list[int]
    ) -> list[pa.Array]:
        """All of ``RAGGED`` but the step. A rank without a pair gets the batch's first pair at weight zero."""
        places = [packing.share(batch, self.rank, self.world_size) for batch in batches]
        offsets = pa.array(np.cumsum([0, *map(len, places)]), pa.int32())
        place = np.concatenate(places)
        rows = packing.rows[place]
        global_pairs = packing.sizes[batches]
        chosen = (
            pa.array(positions[rows]),
            pa.array(pairs.dataset[rows]),
            sources.take(pa.array(rows + packing.mono[place] * len(pairs))),
            pairs.target_ids.take(pa.array(rows)),
            *([] if pairs.negative_ids is None else [pairs.negative_ids.take(pa.array(rows))]),
        )
        weight = pa.array(self.rank < global_pairs).cast(pa.float32())
        return [pa.array(global_pairs), weight, *(pa.ListArray.from_arrays(offsets, column) for column in chosen)]


def gather(windows: pa.Table, share: RankShare) -> Iterator[pa.Table]:
    """The share of every stretch in a table of them. Ray Data tasks run this, so its module imports no torch."""
    for stretch in windows.to_pylist():
        yield from share.blocks(Stretch(**stretch))


class _Collate(ArrowBatchCollateFn):
    """A block's batches, padded in Ray Data's own threads while the trainer computes."""

    def __init__(self, frames: Frames, dataset_names: tuple[str, ...], targets: TargetEmbeddings | None) -> None:
        self._frames, self._dataset_names, self._targets = frames, dataset_names, targets

    def __call__(self, batch: pa.Table) -> list[PairBatch]:  # type: ignore[override]  # Ray passes any value on
        return list(collate(batch, self._frames, self._dataset_names, self._targets))
