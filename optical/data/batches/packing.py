"""A window's pairs as batches: alike in length, under both budgets, in random order."""

from dataclasses import dataclass

import numpy as np

from optical.data.batches.config import BatchConfig


@dataclass(frozen=True, eq=False)
class Packing:
    """The batches of one window.

    Args:
        rows: rows of the window, batch after batch.
        ends: where each batch ends in ``rows``.
        mono: which of ``rows`` have the English side as source too.
    """

    rows: np.ndarray
    ends: np.ndarray
    mono: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Pairs of each batch."""
        return np.diff(self.ends, prepend=0)

    def share(self, batch: int, rank: int, world_size: int) -> np.ndarray:
        """A rank's places in ``rows``: every ``world_size``-th of the batch, or, of a smaller batch, its first."""
        start, end = self.ends[batch] - self.sizes[batch], self.ends[batch]
        return np.arange(start + rank, end, world_size) if start + rank < end else start[None]


def count_batches(source: np.ndarray, target: np.ndarray, config: BatchConfig) -> int:
    """How many batches ``pack`` makes of a window."""
    return len(_by_length(source, target, config)[1])


def pack(
    source: np.ndarray, target: np.ndarray, config: BatchConfig, generator: np.random.Generator, ordered: bool
) -> Packing:
    """Sort a window's pairs by length, pack them greedily, and shuffle the batches.

    In a run with monolingual pairs a source counts as long as the longer of its two sides.

    Args:
        source: tokens of each source sentence, cut or not.
        target: tokens of each target sentence.
        config: the budgets ``batch_pairs`` and ``batch_tokens``, the lengths at which sentences are cut, the mixture.
        generator: of everything that is random here.
        ordered: leave the batches in order of length.
    """
    by_length, ends = _by_length(source, target, config)
    parts = np.split(by_length, ends[:-1])
    order = np.arange(len(parts)) if ordered else generator.permutation(len(parts))
    rows = np.concatenate([parts[index] for index in order])
    ends = np.cumsum([len(parts[index]) for index in order])
    return Packing(rows, ends, _mono(ends, config.mixture.mono_share, generator))


def _by_length(source: np.ndarray, target: np.ndarray, config: BatchConfig) -> tuple[np.ndarray, np.ndarray]:
    """Rows in order of length, and where each batch ends."""
    # Lengths on disk are 16-bit; sums and areas need more.
    source = np.minimum(source.astype(np.int64), config.source_length)
    target = np.minimum(target.astype(np.int64), config.target_length)
    if config.mixture.mono_share:
        source = np.maximum(source, np.minimum(target, config.source_length))
    by_length = np.lexsort((target, source + target))
    source, target = source[by_length], target[by_length]
    sizes = np.arange(1, config.batch_pairs + 1)
    ends, start = [], 0
    while start < len(source):
        most = slice(start, start + config.batch_pairs)
        width = np.maximum.accumulate(source[most]) + np.maximum.accumulate(target[most])
        start += int(np.searchsorted(width * sizes[: len(width)], config.batch_tokens, side="right"))
        ends.append(start)
    return by_length, np.array(ends)


def _mono(ends: np.ndarray, share: float, generator: np.random.Generator) -> np.ndarray:
    """An exact share of the window, spread so evenly that no batch is off by a whole pair."""
    mono = np.zeros(ends[-1], dtype=bool)
    if share:
        counts = np.diff(np.floor(share * ends + 0.5).astype(int), prepend=0)
        starts = np.concatenate([[0], ends[:-1]])
        for start, end, count in zip(starts, ends, counts, strict=True):
            mono[start + generator.choice(end - start, count, replace=False)] = True
    return mono
