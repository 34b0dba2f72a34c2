"""Sentences of token ids as padded tensors: ids, the mask of real tokens, and the mask without special tokens."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from optical.model.tokens import IDS


def pad(
    sentences: Sequence[Sequence[int]] | pa.ListArray,
) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]]:
    """Right-pad sentences of ids with zeros: the ids, and the mask of real tokens."""
    if not isinstance(sentences, pa.ListArray):
        sentences = pa.array(sentences, IDS)
    offsets = torch.from_numpy(sentences.offsets.to_numpy().astype(np.int64))
    lengths = offsets.diff()
    mask = torch.arange(int(lengths.max())).unsqueeze(0) < lengths.unsqueeze(1)
    ids = torch.zeros(mask.shape, dtype=torch.long)
    ids[mask] = torch.from_numpy(sentences.values.to_numpy()[offsets[0] : offsets[-1]].astype(np.int64))
    return ids, mask


def inner_mask(mask: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch tokens"]:
    """The mask without each sentence's first and last real token ([CLS] and [SEP])."""
    inner = mask.clone()
    inner[:, 0] = False
    inner[torch.arange(len(mask)), mask.sum(1) - 1] = False
    return inner
