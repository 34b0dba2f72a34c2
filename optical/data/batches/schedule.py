"""The schedule of a training: a pure function of (data, configuration, seed), the same on any number of workers.

Free of torch, because the tasks that gather batches need no more than this.
"""

from dataclasses import dataclass

import numpy as np

from optical.data.batches.config import BatchConfig
from optical.data.batches.order import WINDOW_PAIRS, Order, quotas
from optical.data.batches.packing import count_batches
from optical.data.batches.token_shards import TokenShards, read_lengths


@dataclass(frozen=True)
class Stretch:
    """The steps that lie in one window, from ``first_step`` on.

    Args:
        epoch: number of the epoch.
        window: number of the window in its epoch.
        num_batches: batches of the whole window.
        first_batch: the window's batch that ``first_step`` trains on.
        first_step: the first of these steps.
    """

    epoch: int
    window: int
    num_batches: int
    first_batch: int
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
        return int(self._ends[-1])

    def stretches(self, start: int) -> list[Stretch]:
        """The rest of the training from step ``start`` (counted from 0), window by window."""
        rest = []
        for index in range(int(np.searchsorted(self._ends, start, side="right")), len(self._ends)):
            num_batches = int(self._num_batches[index])
            window_start = int(self._ends[index]) - num_batches
            first = max(start, window_start)
            epoch, window = divmod(index, self.order.num_windows)
            rest.append(Stretch(epoch, window, num_batches, first - window_start, first))
        return rest

    def _count(self) -> np.ndarray:
        source, target = read_lengths(self.tokens.folder)
        windows = (
            self.order.window(epoch, window)
            for epoch in range(self.config.epochs)
            for window in range(self.order.num_windows)
        )
        return np.array([count_batches(source[rows], target[rows], self.config) for rows in windows])
