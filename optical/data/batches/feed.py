"""Ray Data stream from token shards to one rank's batches.

The schedule has decided everything; the tasks only gather and move. Each serves one window, and waits while the
trainer has enough in hand: two tasks at most are at work, so that the next window is ready when one ends, and what
they have made ahead is bounded whatever the size of the corpus.
"""

from collections.abc import Iterator
from dataclasses import asdict

import pyarrow as pa
import ray
from ray.data.collate_fn import ArrowBatchCollateFn

from optical.data.batches.batch import PairBatch
from optical.data.batches.collate import collate
from optical.data.batches.schedule import Schedule
from optical.data.batches.share import RankShare, gather
from optical.data.batches.teacher_cache import TargetEmbeddings
from optical.data.bitext.stream import one_block_each, ordered_and_quiet

_WINDOWS_AHEAD = 2
_BLOCK_BYTES = 2 << 20
_BLOCKS_AHEAD = 2


def rank_batches(
    schedule: Schedule, start: int, rank: int, world_size: int, targets: TargetEmbeddings | None = None
) -> Iterator[PairBatch]:
    """This rank's batches from step ``start`` to the end, gathered by Ray Data tasks ahead of their use.

    Cached ``targets`` join them in the calling process: they are read from disk where they are needed, and never sent.
    """
    ordered_and_quiet()
    ray.data.DataContext.get_current().target_max_block_size = _BLOCK_BYTES
    blocks = one_block_each(map(asdict, schedule.stretches(start))).map_batches(
        gather,
        fn_kwargs={"share": RankShare.of(schedule, rank, world_size)},
        batch_size=None,
        batch_format="pyarrow",
        # Trainers may hold every CPU of a cluster (an elastic run takes what it finds), and would wait for ever.
        num_cpus=0,
        compute=ray.data.TaskPoolStrategy(_WINDOWS_AHEAD),
    )
    collate_fn = _Collate(schedule.tokens.dataset_names, targets)
    for batches in blocks.iter_torch_batches(batch_size=None, collate_fn=collate_fn, prefetch_batches=_BLOCKS_AHEAD):
        yield from batches


class _Collate(ArrowBatchCollateFn):
    """A block's batches, padded in Ray Data's own threads while the trainer computes."""

    def __init__(self, dataset_names: tuple[str, ...], targets: TargetEmbeddings | None) -> None:
        self._dataset_names, self._targets = dataset_names, targets

    def __call__(self, batch: pa.Table) -> list[PairBatch]:
        return list(collate(batch, self._dataset_names, self._targets))
