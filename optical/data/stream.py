"""Ray Data streams: bitext to shards, pairs to tokens, token shards to one rank's batches.

The order is never left to the scheduler: every dataset preserves order, and what a rank trains on at a step is
decided by ``Schedule`` alone, whatever the number of workers or restarts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import ray
from ray.data.collate_fn import ArrowBatchCollateFn
from tokenizers import Tokenizer

from optical.config import TrainConfig
from optical.data.batches import PairBatch, Schedule
from optical.data.collate import collate, rank_share
from optical.data.filters import Limits, Reject, SentencePair
from optical.data.readers import read_pairs
from optical.data.resolve import Resolved
from optical.data.shards import CHECKED
from optical.data.tokenizer import load_tokenizer
from optical.data.tokens import TokenPairs, read_tokens

TASK_CPUS = 0.25
_PAIRS_PER_TASK = 2048
_STEPS_PER_TASK = 16
_IDS = pa.list_(pa.list_(pa.int32()))
_RAGGED = pa.schema(
    [
        ("step", pa.int64()),
        ("global_pairs", pa.int64()),
        ("weight", pa.float32()),
        ("source_ids", _IDS),
        ("target_ids", _IDS),
    ]
)


@dataclass(frozen=True)
class BitextSource:
    """Verified files of one bitext data set, and its two languages."""

    files: Resolved
    source: str
    target: str


def ordered_and_quiet() -> None:
    """Ordered execution without Ray Data's own progress bars, in the calling process."""
    context = ray.data.DataContext.get_current()
    context.execution_options.preserve_order = True
    context.enable_progress_bars = False
    context.print_on_execution_start = False


def checked_pairs(sources: Sequence[BitextSource], limits: Limits) -> Iterator[pa.Table]:
    """Every physical pair of the sources, in order, accepted or with the reason of its rejection (``CHECKED``)."""
    ordered_and_quiet()
    numbers = pa.table({"number": range(len(sources))})
    stream = ray.data.from_arrow(numbers).map_batches(
        _read,
        fn_kwargs={"sources": tuple(sources), "limits": limits},
        batch_size=1,
        batch_format="pyarrow",
        num_cpus=TASK_CPUS,
    )
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow")


def tokenised_pairs(shards: Sequence[str], source_tokenizer: Path, target_tokenizer: Path) -> Iterator[pa.Table]:
    """Token ids of both sides of every pair in the parquet ``shards``, in order.

    Args:
        shards: parquet files with ``source`` and ``target``.
        source_tokenizer: folder of the student's tokenizer.
        target_tokenizer: folder of the teacher's tokenizer.
    """
    ordered_and_quiet()
    stream = ray.data.read_parquet(list(shards)).map_batches(
        _tokenise,
        fn_kwargs={"source_tokenizer": source_tokenizer, "target_tokenizer": target_tokenizer},
        batch_size=_PAIRS_PER_TASK,
        batch_format="pyarrow",
        num_cpus=TASK_CPUS,
    )
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow")


def _read(numbers: pa.Table, sources: Sequence[BitextSource], limits: Limits) -> Iterator[pa.Table]:
    for number in numbers["number"].to_pylist():
        source = sources[number]
        pairs = read_pairs(source.files.paths, source.files.reader, source.source, source.target, limits)
        while rows := [_checked_row(source.files.name, pair) for pair in islice(pairs, _PAIRS_PER_TASK)]:
            yield pa.Table.from_pylist(rows, schema=CHECKED)


def _checked_row(dataset: str, pair: SentencePair | Reject) -> dict:
    return {"dataset": dataset, **asdict(pair)}


def _tokenise(pairs: pa.Table, source_tokenizer: Path, target_tokenizer: Path) -> pa.Table:
    columns = {}
    for side, folder in (("source", source_tokenizer), ("target", target_tokenizer)):
        encodings = _tokenizer(folder).encode_batch(pairs[side].to_pylist())
        columns[f"{side}_ids"] = pa.array([encoding.ids for encoding in encodings], pa.list_(pa.int32()))
    return pa.table(columns)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> Tokenizer:
    return load_tokenizer(folder)


def rank_batches(
    tokens: Path, config: TrainConfig, start: int, num_steps: int, rank: int, world_size: int
) -> Iterator[PairBatch]:
    """This rank's batches for steps ``start`` to ``num_steps``, gathered by Ray Data tasks ahead of their use."""
    ordered_and_quiet()
    steps = np.arange(start, num_steps)
    dataset = ray.data.from_arrow(pa.table({"step": steps})).map_batches(
        _gather,
        fn_kwargs={"tokens": tokens, "config": config, "rank": rank, "world_size": world_size},
        batch_size=_STEPS_PER_TASK,
        batch_format="pyarrow",
        num_cpus=TASK_CPUS,
    )
    yield from dataset.iter_torch_batches(batch_size=1, collate_fn=_Collate(), prefetch_batches=4)


def _gather(steps: pa.Table, tokens: Path, config: TrainConfig, rank: int, world_size: int) -> pa.Table:
    pairs, schedule = _schedule(tokens, config)
    rows = [rank_share(pairs, schedule, config, step, rank, world_size) for step in steps["step"].to_pylist()]
    return pa.Table.from_pylist(rows, schema=_RAGGED)


@lru_cache(maxsize=2)
def _schedule(tokens: Path, config: TrainConfig) -> tuple[TokenPairs, Schedule]:
    pairs = read_tokens(tokens)
    return pairs, Schedule(pairs, config)


class _Collate(ArrowBatchCollateFn):
    """One row of a ragged batch to a padded one."""

    def __call__(self, batch: pa.Table) -> PairBatch:
        return collate(batch.to_pylist()[0])
