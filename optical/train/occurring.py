"""Which token ids training can meet, and which word embeddings are trained: all, those that occur, or none."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.batches.token_shards import NEGATIVE, TokenShards
from optical.errors import DataError
from optical.model.encoder import Encoder
from optical.model.trained_rows import train_rows
from optical.train.job import TrainJob

_WORTH = 0.5
"""Share of the rows below which training only those that occur saves time."""


def occurring_ids(tokens: TokenShards, columns: Sequence[str], size: int) -> np.ndarray:
    """The token ids in the token shards, sorted; one column of one row group is read at a time.

    Args:
        tokens: the training pairs.
        columns: to read.
        size: rows of the word embeddings.

    Returns:
        (ids,) int64; uncut sentences count, so an id may lie behind the longest length that training reads.

    Raises:
        DataError: an id is not below ``size``.
    """
    seen = np.zeros(size, dtype=bool)
    for name in tokens.shards:
        with pq.ParquetFile(tokens.folder / name) as file:
            there = [name for name in columns if name != NEGATIVE or name in file.schema_arrow.names]
            for group in range(file.num_row_groups):
                for side in there:
                    column = file.read_row_group(group, columns=[side])[side]
                    ids = np.unique(pc.list_flatten(column).to_numpy())
                    if len(ids) and not 0 <= ids[0] <= ids[-1] < size:
                        what = f"{side} has ids from {ids[0]} to {ids[-1]}, and there are {size} word embeddings"
                        raise DataError(tokens.folder / name, what, "delete the tokens artefact and rerun")
                    seen[ids] = True
    return np.flatnonzero(seen)


def set_word_embeddings(encoder: Encoder, job: TrainJob, tokens: TokenShards) -> dict[str, int]:
    """Freeze the word embeddings of ``encoder``, or train the rows that occur alone if that saves time.

    Special tokens and the padding count as occurring: batches contain them whether or not a sentence does.

    Returns:
        facts for the journal: the trained rows and all rows, or nothing if the whole matrix is trained.
    """
    embedding: Any = encoder.backbone.get_input_embeddings()
    size = len(embedding.weight)
    if job.word_embeddings == "freeze":
        embedding.requires_grad_(False)
        return {"word_rows": size, "trained_word_rows": 0}
    # Negatives of training pairs are targets of any pairs, held-out ones too.
    mined = (NEGATIVE,) if job.teacher is None and tokens.has_negatives else ()
    seen = occurring_ids(tokens, (*job.columns_read, *mined), size)
    ids = np.union1d(seen, [number for number in _always(encoder, tokens) if number < size])
    if len(ids) < _WORTH * size and train_rows(encoder.backbone, ids):
        return {"word_rows": size, "trained_word_rows": len(ids)}
    return {}


def _always(encoder: Encoder, tokens: TokenShards) -> set[int]:
    """Ids of the special tokens, of the padding, and of query augmentation."""
    special = {number for number, token in encoder.tokenizer.get_added_tokens_decoder().items() if token.special}
    padding = {encoder.backbone.config.pad_token_id, encoder.backbone.get_input_embeddings().padding_idx}
    frames = (tokens.frames.source, tokens.frames.target)
    around = {number for frame in frames for number in (frame.pad, frame.filler, *frame.before, *frame.after)}
    return special | around | {number for number in padding if number is not None}
