"""The schedule of a training: which pairs each step trains on. A pure function of (data, configuration, seed).

It is the same on any number of workers. It is free of torch, because the tasks that gather batches need no more than
this.

Every data set is an endless stream: pass after pass over its row groups, each pass in a new order of groups and of
rows inside a group. An epoch takes the next pairs of every stream, as many as the quota of the data set. So a data set
larger than its quota is seen whole before any of it repeats, and a smaller one repeats evenly. An epoch is cut into
windows of about 100,000 pairs, each with the exact share of every data set, and shuffled inside. A window touches a
bounded number of row groups, wherever it lies. The pairs of a window become batches of pairs of similar length, within
both budgets, in random order.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optical.data.batches.config import BatchConfig, MixtureConfig
from optical.data.batches.token_shards import Lengths, TokenShards, read_lengths
from optical.errors import UserError

WINDOW_PAIRS = 100_000
_GROUPS, _ROWS, _WINDOW, _BATCHES = range(4)


def draw(seed: int, purpose: int, *where: int) -> np.random.Generator:
    """A separate generator for every purpose and place: Philox, with seed and purpose as key and place as counter."""
    return np.random.Generator(np.random.Philox(key=[seed, purpose], counter=[0, *where, *[0] * (3 - len(where))]))


def quotas(sizes: np.ndarray, mixture: MixtureConfig, names: tuple[str, ...]) -> np.ndarray:
    """Pairs of each data set in one epoch; their sum is the number of pairs.

    Shares are the given weights, or proportional to size^(1 / temperature); the largest remainders are rounded up.

    Raises:
        UserError: there are weights, but not one for each data set.
    """
    if mixture.weights and len(mixture.weights) != len(sizes):
        raise UserError(
            "train.mixture.weights",
            f"has {len(mixture.weights)} weights for {len(sizes)} data sets with pairs ({', '.join(names)})",
            "give one weight for each",
        )
    weights = np.array(mixture.weights) if mixture.weights else sizes ** (1 / mixture.temperature)
    exact = weights / weights.sum() * sizes.sum()
    whole = np.floor(exact).astype(int)
    short = sizes.sum() - whole.sum()
    whole[np.argsort(whole - exact, kind="stable")[:short]] += 1
    if lacking := [name for name, size, quota in zip(names, sizes, whole, strict=True) if quota and not size]:
        raise UserError(
            "train.mixture.weights", f"asks for {', '.join(lacking)}, without a pair", "set its weight to 0"
        )
    return whole


@dataclass(frozen=True, eq=False)
class Order:
    """The order of all epochs.

    Args:
        starts: position of each row group's first pair, and the number of pairs at the end.
        dataset: number of each row group's data set.
        quotas: pairs of each data set in one epoch.
        seed: the seed.
        window_pairs: about how many pairs a window has.
    """

    starts: np.ndarray
    dataset: np.ndarray
    quotas: np.ndarray
    seed: int
    window_pairs: int

    @property
    def num_windows(self) -> int:
        """Windows of every epoch."""
        return max(1, round(self.quotas.sum() / self.window_pairs))

    def window(self, epoch: int, window: int) -> np.ndarray:
        """Positions of the pairs in a window, shuffled."""
        parts: list[np.ndarray] = []
        for dataset, quota in enumerate(self.quotas.tolist()):
            start, end = (epoch * quota + number * quota // self.num_windows for number in (window, window + 1))
            parts += self._stream(dataset, start, end)
        return draw(self.seed, _WINDOW, epoch, window).permutation(np.concatenate(parts))

    def batches_generator(self, epoch: int, window: int) -> np.random.Generator:
        """The random generator of a window's batches."""
        return draw(self.seed, _BATCHES, epoch, window)

    def _stream(self, dataset: int, start: int, end: int) -> Iterator[np.ndarray]:
        """The pairs ``start`` to ``end`` of a data set's endless stream, row group by row group."""
        groups = np.flatnonzero(self.dataset == dataset)
        sizes = np.diff(self.starts)[groups]
        size = int(sizes.sum())
        while start < end:
            number, skip = divmod(start, size)
            stop = min(end - number * size, size)
            order = draw(self.seed, _GROUPS, dataset, number).permutation(len(groups))
            ends = np.cumsum(sizes[order])
            first, last = np.searchsorted(ends, skip, side="right"), np.searchsorted(ends, stop, side="left")
            for index in range(first, last + 1):
                group = groups[order[index]]
                begin = int(ends[index] - sizes[order[index]])
                rows = draw(self.seed, _ROWS, number, group).permutation(sizes[order[index]])
                yield self.starts[group] + rows[max(0, skip - begin) : stop - begin]
            start = number * size + stop


@dataclass(frozen=True, eq=False)
class Packing:
    """The batches of one window.

    Args:
        rows: rows of the window, batch after batch.
        ends: where each batch ends in ``rows``.
        mono: which of ``rows`` read the English side as source too.
    """

    rows: np.ndarray
    ends: np.ndarray
    mono: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Pairs of each batch."""
        return np.diff(self.ends, prepend=0)

    def share(self, batch: int, rank: int, world_size: int) -> np.ndarray:
        """A rank's places in ``rows``: every ``world_size``-th of the batch; its first if none is left for the rank."""
        start, end = self.ends[batch] - self.sizes[batch], self.ends[batch]
        return np.arange(start + rank, end, world_size) if start + rank < end else start[None]


def count_batches(widths: Lengths, config: BatchConfig) -> int:
    """How many batches ``pack`` makes of a window."""
    return len(_by_length(widths, config)[1])


def pack(widths: Lengths, config: BatchConfig, generator: np.random.Generator, ordered: bool) -> Packing:
    """Sort a window's pairs by length, pack them greedily, and shuffle the batches.

    In a run with monolingual pairs a source counts as long as the longer of its two sides.

    Args:
        widths: columns that the sides of each pair take in a batch.
        config: the budgets ``batch_pairs`` and ``batch_tokens``, and the mixture.
        generator: makes every random choice.
        ordered: leave the batches in order of length.
    """
    by_length, ends = _by_length(widths, config)
    parts = np.split(by_length, ends[:-1])
    order = np.arange(len(parts)) if ordered else generator.permutation(len(parts))
    rows = np.concatenate([parts[index] for index in order])
    ends = np.cumsum([len(parts[index]) for index in order])
    return Packing(rows, ends, _mono(ends, config.mixture.mono_share, generator))


def _by_length(widths: Lengths, config: BatchConfig) -> tuple[np.ndarray, np.ndarray]:
    """Rows in order of length, and where each batch ends."""
    source, target = widths.source, widths.target
    if config.mixture.mono_share:
        source = np.maximum(source, widths.mono)
    by_length = np.lexsort((target, source + target))
    source, target = source[by_length], target[by_length]
    if len(source) and (widest := int((source + target).max())) > config.batch_tokens:
        what = f"is {config.batch_tokens}, and a pair takes {widest} tokens, filled up where queries are"
        raise UserError("train.batch_tokens", what, f"set at least {widest}")
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


@dataclass(frozen=True)
class Stretch:
    """The steps that lie in one window, from ``first_step`` on.

    Args:
        epoch: number of the epoch.
        window: number of the window in its epoch.
        num_batches: batches of the whole window.
        first_batch: the window's batch that ``first_step`` trains on.
        end_batch: the window's batch before which the training ends, or ``num_batches``.
        first_step: the first of these steps.
    """

    epoch: int
    window: int
    num_batches: int
    first_batch: int
    end_batch: int
    first_step: int


class Schedule:
    """Which pairs make up the global batch of each step; a step is found by arithmetic, so resuming replays nothing.

    Making one counts the batches of every window of every epoch, from the sentences' lengths alone.
    """

    def __init__(self, tokens: TokenShards, config: BatchConfig, window_pairs: int = WINDOW_PAIRS) -> None:
        self.tokens = tokens
        self.config = config
        shares = quotas(tokens.dataset_sizes, config.mixture, tokens.dataset_names)
        self.order = Order(tokens.starts, tokens.dataset, shares, config.seed, window_pairs)
        self._num_batches = self._count()
        self._ends = np.cumsum(self._num_batches)

    @property
    def num_steps(self) -> int:
        """Steps of the whole training."""
        whole = int(self._ends[-1])
        return whole if self.config.max_steps is None else min(whole, self.config.max_steps)

    def stretches(self, start: int) -> list[Stretch]:
        """The rest of the training from step ``start`` (counted from 0), window by window."""
        rest = []
        for index in range(int(np.searchsorted(self._ends, start, side="right")), len(self._ends)):
            num_batches = int(self._num_batches[index])
            window_start = int(self._ends[index]) - num_batches
            first, end = max(start, window_start), min(window_start + num_batches, self.num_steps)
            if first >= end:
                break
            epoch, window = divmod(index, self.order.num_windows)
            rest.append(Stretch(epoch, window, num_batches, first - window_start, end - window_start, first))
        return rest

    def _count(self) -> np.ndarray:
        config = self.config
        lengths = read_lengths(self.tokens.folder)
        widths = lengths.widths(self.tokens.frames, config.source_length, config.target_length)
        windows = (
            self.order.window(epoch, window)
            for epoch in range(config.epochs)
            for window in range(self.order.num_windows)
        )
        return np.array([count_batches(widths.take(rows), config) for rows in windows])
