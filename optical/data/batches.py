"""Batches: a pure function of (data, configuration, seed, step), the same on any number of workers."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from optical.config import TrainConfig
from optical.data.tokens import TokenPairs

_WINDOW_BATCHES = 50


@dataclass(frozen=True)
class PairBatch:
    """One rank's share of a global batch of sentence pairs.

    ``weight`` is 1 for a pair and 0 for the filler a rank gets when the batch has fewer pairs than ranks;
    ``global_pairs`` is the number of pairs over all ranks, which the loss is averaged over.
    """

    step: int
    global_pairs: int
    source_ids: Int[Tensor, "batch source"]
    source_mask: Bool[Tensor, "batch source"]
    target_ids: Int[Tensor, "batch target"]
    target_mask: Bool[Tensor, "batch target"]
    weight: Float[Tensor, " batch"]

    @property
    def num_pairs(self) -> int:
        """Pairs of this rank, fillers not counted."""
        return int(self.weight.sum())

    @property
    def num_tokens(self) -> int:
        """Real tokens on both sides, of pairs that count."""
        per_pair = self.source_mask.sum(1) + self.target_mask.sum(1)
        return int((per_pair * self.weight).sum())

    def to(self, device: object) -> "PairBatch":
        """The same batch on another device."""
        moved = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, Tensor)}
        return PairBatch(step=self.step, global_pairs=self.global_pairs, **moved)


class Schedule:
    """Which pairs make up the global batch of each step.

    Every epoch is a fresh permutation drawn from Philox(seed, epoch), cut into windows; inside a window pairs are
    sorted by length, packed greedily under ``batch_pairs`` and ``batch_tokens``, and the batches shuffled. A step
    is found by arithmetic, so resuming replays nothing.
    """

    def __init__(self, pairs: TokenPairs, config: TrainConfig) -> None:
        self.config = config
        self._source = np.minimum(pairs.source_lengths, config.source_length)
        self._target = np.minimum(pairs.target_lengths, config.target_length)
        sizes = [len(self.epoch(epoch)) for epoch in range(config.epochs)]
        self._ends = np.cumsum(sizes)

    @property
    def num_steps(self) -> int:
        """Steps of the whole training."""
        return int(self._ends[-1])

    def batch(self, step: int) -> np.ndarray:
        """Positions of the pairs in the global batch of ``step`` (counted from 0)."""
        epoch = int(np.searchsorted(self._ends, step, side="right"))
        start = int(self._ends[epoch - 1]) if epoch else 0
        return self.epoch(epoch)[step - start]

    @lru_cache(maxsize=2)  # noqa: B019  one schedule lives as long as its worker
    def epoch(self, epoch: int) -> list[np.ndarray]:
        """All global batches of an epoch, in order."""
        generator = np.random.Generator(np.random.Philox(key=[self.config.seed, epoch]))
        order = generator.permutation(len(self._source))
        window = self.config.batch_pairs * _WINDOW_BATCHES
        batches = []
        for start in range(0, len(order), window):
            packed = self._pack(order[start : start + window])
            batches += [packed[index] for index in generator.permutation(len(packed))]
        return batches

    def _pack(self, positions: np.ndarray) -> list[np.ndarray]:
        source, target = self._source[positions], self._target[positions]
        by_length = np.lexsort((positions, target, source + target))
        batches, start = [], 0
        longest_source = longest_target = 0
        for end, index in enumerate(by_length):
            longest_source = max(longest_source, source[index])
            longest_target = max(longest_target, target[index])
            size = end - start + 1
            if size > self.config.batch_pairs or size * (longest_source + longest_target) > self.config.batch_tokens:
                if end > start:
                    batches.append(positions[by_length[start:end]])
                start, longest_source, longest_target = end, source[index], target[index]
        batches.append(positions[by_length[start:]])
        return batches
