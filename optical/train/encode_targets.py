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
import pyarrow.compute as pc
import torch

from optical.cluster import encoder_pool
from optical.data.batches.teacher_cache import Encoded
from optical.data.batches.token_shards import TokenShards
from optical.data.bitext.stream import one_block_each, ordered_and_quiet
from optical.model.encoder import Encoder
from optical.model.text import pad
from optical.model.tokens import cut_all
from optical.resources import Resources

_PAIRS_PER_FORWARD = 64
_PAIRS_PER_ROW = 256


class TargetEncoder:
    """A Ray Data actor that holds the teacher and encodes row groups of token shards."""

    def __init__(self, teacher: Path, tokens: TokenShards, length: int, threads: int, use_gpu: bool) -> None:
        torch.set_num_threads(threads)
        self.device = torch.device("cuda" if use_gpu else "cpu")
        self.teacher = Encoder.load(teacher).eval().to(self.device)
        self.tokens = tokens
        self.length = length

    def __call__(self, groups: pa.Table) -> Iterator[pa.Table]:
        """Rows of ``Encoded``, some hundred pairs each, for every row group, in order."""
        for group in groups["group"].to_pylist():
            start, end = self.tokens.starts[group : group + 2]
            targets = cut_all(self.tokens.take(np.arange(start, end)).target_ids, self.length)
            started = time.perf_counter()
            sentences = self._encode(targets)
            seconds = (time.perf_counter() - started) / len(sentences)
            for first in range(0, len(sentences), _PAIRS_PER_ROW):
                some = sentences[first : first + _PAIRS_PER_ROW]
                row = Encoded(pairs=len(some), embeddings=np.concatenate(some).tobytes(), seconds=seconds * len(some))
                yield pa.Table.from_pylist([row])

    @torch.no_grad()
    def _encode(self, targets: pa.ListArray) -> list[np.ndarray]:
        lengths = pc.list_value_length(targets).to_numpy()
        # Neighbours in length share a forward pass, so that little of it is padding.
        by_length = np.argsort(lengths, kind="stable")
        sentences: list[np.ndarray] = [np.empty(0)] * len(targets)
        for start in range(0, len(targets), _PAIRS_PER_FORWARD):
            rows = by_length[start : start + _PAIRS_PER_FORWARD]
            ids, mask = pad(targets.take(pa.array(rows)))
            embeddings = self.teacher(ids.to(self.device), mask.to(self.device)).half().cpu().numpy()
            for row, sentence in zip(rows, embeddings, strict=True):
                sentences[row] = sentence[: lengths[row]]
        return sentences


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
