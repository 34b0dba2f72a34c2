"""From positions to padded tensors, by way of ragged rows that travel cheaply between processes."""

import numpy as np
import torch

from optical.config import TrainConfig
from optical.data.batches import PairBatch, Schedule
from optical.data.tokens import TokenPairs, pad

RaggedBatch = dict[str, object]
"""A batch before padding: step, global_pairs, weight, and lists of token ids in source_ids and target_ids."""


def ragged(
    pairs: TokenPairs, positions: np.ndarray, config: TrainConfig, step: int = 0, global_pairs: int = 0
) -> RaggedBatch:
    """The pairs at ``positions``, cut to the configured lengths."""
    return {
        "step": step,
        "global_pairs": global_pairs or len(positions),
        "weight": 1.0,
        "source_ids": pairs.sentences("source", positions, config.source_length),
        "target_ids": pairs.sentences("target", positions, config.target_length),
    }


def rank_share(
    pairs: TokenPairs, schedule: Schedule, config: TrainConfig, step: int, rank: int, world_size: int
) -> RaggedBatch:
    """One rank's share of the global batch of ``step``: the positions congruent to ``rank``.

    A rank without a pair gets the batch's first pair at weight zero, so that every rank takes part in the update.
    """
    everything = schedule.batch(step)
    mine = everything[rank::world_size]
    if len(mine):
        return ragged(pairs, mine, config, step, len(everything))
    return ragged(pairs, everything[:1], config, step, len(everything)) | {"weight": 0.0}


def collate(batch: RaggedBatch) -> PairBatch:
    """Pad a ragged batch to its own longest sentences."""
    source_ids, source_mask = pad(batch["source_ids"])
    target_ids, target_mask = pad(batch["target_ids"])
    weight = torch.full((len(source_ids),), batch["weight"])
    return PairBatch(batch["step"], batch["global_pairs"], source_ids, source_mask, target_ids, target_mask, weight)
