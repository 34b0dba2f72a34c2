"""Target sides of training pairs through the teacher, streamed through Ray Data: what a teacher cache holds.

An encoder that is not trained computes in float32 on every device (``model.precision``): a cache made on a GPU and one
made on a CPU differ by rounding alone, have the same name, and what was begun on one may be finished on the other.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from optical.cluster import encoder_pool
from optical.data.batches.teacher_cache import Encoded
from optical.data.batches.token_shards import TokenShards
from optical.data.bitext.stream import one_block_each, ordered_and_quiet
from optical.model.encode import encode_ids
from optical.model.storage import load_encoder
from optical.resources import Resources

_PAIRS_PER_FORWARD = 64
_PAIRS_PER_ROW = 256


class TargetEncoder:
    """A Ray Data actor that holds the teacher and encodes row groups of token shards."""

    def __init__(self, teacher: Path, tokens: TokenShards, length: int, threads: int, use_gpu: bool) -> None:
        torch.set_num_threads(threads)
        self.teacher = load_encoder(teacher).eval().to("cuda" if use_gpu else "cpu")
        self.tokens = tokens
        self.length = length

    def __call__(self, groups: pa.Table) -> Iterator[pa.Table]:
        """Rows of ``Encoded``, some hundred pairs each, for every row group, in order."""
        for group in groups["group"].to_pylist():
            start, end = self.tokens.starts[group : group + 2]
            frame = self.tokens.frames.target
            targets = frame.cut(self.tokens.take(np.arange(start, end)).target_ids, self.length)
            started = time.perf_counter()
            encoded = encode_ids(self.teacher, targets, frame, _PAIRS_PER_FORWARD, torch.float16)
            sentences = [embeddings.numpy() for embeddings in encoded]
            seconds = (time.perf_counter() - started) / len(sentences)
            for first in range(0, len(sentences), _PAIRS_PER_ROW):
                some = sentences[first : first + _PAIRS_PER_ROW]
                row = Encoded(pairs=len(some), embeddings=np.concatenate(some).tobytes(), seconds=seconds * len(some))
                yield pa.Table.from_pylist([row])


def encoded_targets(
    tokens: TokenShards, shards: Sequence[int], teacher: Path, length: int, resources: Resources, cores: int
) -> Iterator[Encoded]:
    """The target embeddings of all pairs of ``shards``, in order.

    Args:
        tokens: the training pairs.
        shards: numbers of shards.
        teacher: encoder folder.
        length: longest target in tokens.
        resources: one encoder actor is started per ``num_workers``.
        cores: physical cores of a worker machine, shared between its actors.
    """
    ordered_and_quiet()
    knows, pool = encoder_pool(resources, cores)
    groups = np.flatnonzero(np.isin(tokens.shard, shards)).tolist()
    stream = one_block_each({"group": group} for group in groups).map_batches(
        TargetEncoder,
        fn_constructor_kwargs={
            "teacher": teacher,
            "tokens": tokens,
            "length": length,
            **knows,
        },
        batch_size=None,
        batch_format="pyarrow",
        **pool,
    )
    blocks: Iterable[Any] = stream.iter_batches(batch_size=None, batch_format="pyarrow")
    for block in blocks:
        yield from block.to_pylist()
