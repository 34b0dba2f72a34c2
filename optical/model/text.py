"""Text to token ids, and ids to padded tensors with their masks."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Int
from tokenizers import Tokenizer
from torch import Tensor

from optical.model.tokens import IDS, cut_all


def token_ids(tokenizer: Tokenizer, texts: Sequence[str], length: int) -> pa.ListArray:
    """The ids of each text (type ``IDS``), special tokens included, cut to ``length`` tokens."""
    return cut_all(pa.array([encoding.ids for encoding in tokenizer.encode_batch(list(texts))], IDS), length)


def pad(
    sentences: Sequence[Sequence[int]] | pa.ListArray,
) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]]:
    """Right-pad sentences of ids with zeros; returns the ids and the mask of real tokens.

    Any id would do for padding: the mask keeps it out of every attention and every score.
    """
    if not isinstance(sentences, pa.ListArray):
        sentences = pa.array(sentences, IDS)
    offsets = torch.from_numpy(sentences.offsets.to_numpy().astype(np.int64))
    lengths = offsets.diff()
    mask = torch.arange(int(lengths.max())).unsqueeze(0) < lengths.unsqueeze(1)
    ids = torch.zeros(mask.shape, dtype=torch.long)
    ids[mask] = torch.from_numpy(sentences.values.to_numpy()[offsets[0] : offsets[-1]].astype(np.int64))
    return ids, mask


def inner_mask(mask: Bool[Tensor, "batch tokens"]) -> Bool[Tensor, "batch tokens"]:
    """The mask of tokens that are neither padding nor special: without each sentence's first and last real token."""
    inner = mask.clone()
    inner[:, 0] = False
    inner[torch.arange(len(mask)), mask.sum(1) - 1] = False
    return inner
