"""From ragged rows to padded tensors."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import torch

from optical.data.batches.batch import PairBatch
from optical.data.batches.teacher_cache import TargetEmbeddings
from optical.data.batches.token_shards import TokenPairs
from optical.model.text import pad


def collate(
    block: pa.Table, dataset_names: tuple[str, ...] = (), targets: TargetEmbeddings | None = None
) -> Iterator[PairBatch]:
    """The batches of a block (``share.RAGGED``), step by step, each padded to its own longest sentences.

    With a teacher cache (``targets``) each batch holds its target embeddings too.
    """
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
    """Pairs as one batch, every one of the same weight; of as many global pairs as there are, unless told."""
    return PairBatch(
        step,
        global_pairs or len(pairs),
        *pad(pairs.source_ids),
        *pad(pairs.target_ids),
        torch.full((len(pairs),), weight),
        torch.from_numpy(pairs.dataset.astype(np.int64)),
        dataset_names,
    )


def _cell(column: pa.ListArray, row: int) -> pa.Array:
    start, end = column.offsets[row].as_py(), column.offsets[row + 1].as_py()
    return column.values[start:end]
