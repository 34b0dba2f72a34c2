"""Which pairs make up each window of an epoch: a pure function of (row groups, mixture, seed, epoch, window).

Every data set is an endless stream: pass after pass over its row groups, each pass in a fresh order of groups and of
rows inside a group. An epoch takes the next pairs of every stream, as many as the data set's quota, so that a data
set larger than its quota is seen whole before any of it comes back, and a smaller one repeats evenly. An epoch is cut
into windows of about 100,000 pairs, each with every data set's exact share, and shuffled inside. A window touches a
bounded number of row groups, wherever it lies.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from optical.data.batches.config import MixtureConfig
from optical.errors import UserError

WINDOW_PAIRS = 100_000
_GROUPS, _ROWS, _WINDOW, _BATCHES = range(4)


def draw(seed: int, purpose: int, *where: int) -> np.random.Generator:
    """A generator of its own for every purpose and place: Philox keyed by seed and purpose, counting from the place."""
    return np.random.Generator(np.random.Philox(key=[seed, purpose], counter=[0, *where, *[0] * (3 - len(where))]))


def quotas(sizes: np.ndarray, mixture: MixtureConfig, names: tuple[str, ...]) -> np.ndarray:
    """Pairs of each data set in one epoch; together they are as many as there are pairs.

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
        parts = []
        for dataset, quota in enumerate(self.quotas.tolist()):
            start, end = (epoch * quota + number * quota // self.num_windows for number in (window, window + 1))
            parts += self._stream(dataset, start, end)
        return draw(self.seed, _WINDOW, epoch, window).permutation(np.concatenate(parts))

    def batches_generator(self, epoch: int, window: int) -> np.random.Generator:
        """The generator of everything that is random about a window's batches."""
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
