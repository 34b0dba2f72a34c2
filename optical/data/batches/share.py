"""One rank's share of the global batches, window by window, as ragged rows that travel cheaply between processes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from optical.data.batches.config import BatchConfig
from optical.data.batches.order import Order
from optical.data.batches.packing import Packing, pack
from optical.data.batches.schedule import Schedule, Stretch
from optical.data.batches.token_shards import TokenPairs, TokenShards
from optical.errors import DataError
from optical.model.tokens import IDS, cut_all

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
"""One rank's share of one step before padding."""
_PAIRS_PER_BLOCK = 2048


@dataclass(frozen=True, eq=False)
class RankShare:
    """What one rank trains on: the pairs of every global batch whose place is congruent to the rank.

    Args:
        tokens: where the pairs are.
        order: in which order they come.
        config: how they are batched.
        rank: whose share this is.
        world_size: number of ranks.
    """

    tokens: TokenShards
    order: Order
    config: BatchConfig
    rank: int = 0
    world_size: int = 1

    @classmethod
    def of(cls, schedule: Schedule, rank: int = 0, world_size: int = 1) -> "RankShare":
        """A rank's share of a schedule."""
        return cls(schedule.tokens, schedule.order, schedule.config, rank, world_size)

    def blocks(self, stretch: Stretch) -> Iterator[pa.Table]:
        """The share of a stretch as tables of ``RAGGED``, some steps each; reads the row groups of one window.

        Raises:
            DataError: the pairs are not of the lengths the schedule was made from.
        """
        positions = self.order.window(stretch.epoch, stretch.window)
        pairs = self.tokens.take(positions).cut(self.config.source_length, self.config.target_length)
        generator = self.order.batches_generator(stretch.epoch, stretch.window)
        ordered = self.config.mixture.curriculum and stretch.epoch == 0
        packing = pack(pairs.source_lengths, pairs.target_lengths, self.config, generator, ordered)
        if len(packing.ends) != stretch.num_batches:
            what = f"{stretch} has {len(packing.ends)} batches, so lengths.parquet and the shards disagree"
            raise DataError(self.tokens.folder, what, "delete the directory and rerun")
        sources = self._sources(pairs)
        steps = max(1, _PAIRS_PER_BLOCK * self.world_size // self.config.batch_pairs)
        for first in range(stretch.first_batch, stretch.num_batches, steps):
            batches = np.arange(first, min(first + steps, stretch.num_batches))
            step = pa.array(batches + (stretch.first_step - stretch.first_batch))
            columns = self._columns(positions, pairs, sources, packing, batches.tolist())
            yield pa.table([step, *columns], schema=RAGGED)

    def _sources(self, pairs: TokenPairs) -> pa.ListArray:
        """Row i is the source of pair i; in a run with monolingual pairs, row n + i is its English side."""
        if not self.config.mixture.mono_share:
            return pairs.source_ids
        return pa.concat_arrays([pairs.source_ids, cut_all(pairs.target_ids, self.config.source_length)])

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
        )
        weight = pa.array(self.rank < global_pairs).cast(pa.float32())
        return [pa.array(global_pairs), weight, *(pa.ListArray.from_arrays(offsets, column) for column in chosen)]


def gather(windows: pa.Table, share: RankShare) -> Iterator[pa.Table]:
    """The share of every stretch in a table of them; what a Ray Data task runs, which therefore imports no torch."""
    for stretch in windows.to_pylist():
        yield from share.blocks(Stretch(**stretch))
