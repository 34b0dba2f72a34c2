"""Ids to padded tensors, with the masks of attention and of scoring."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from optical.model.text.frame import Frame
from optical.model.text.tokens import IDS


@dataclass(frozen=True)
class TokenBatch:
    """Sentences of ids as tensors, and what each token takes part in.

    ``mask`` is the attention mask, ``scored`` marks the tokens that MaxSim sees, and ``inner`` the text's own tokens:
    no special token, no marker, no prefix, no padding.
    """

    ids: Int[Tensor, "batch tokens"]
    mask: Bool[Tensor, "batch tokens"]
    scored: Bool[Tensor, "batch tokens"]
    inner: Bool[Tensor, "batch tokens"]

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, chosen: slice) -> "TokenBatch":
        """Some of the sentences, with the same padding."""
        return replace(self, **{name: value[chosen] for name, value in vars(self).items()})

    def to(self, device: object) -> "TokenBatch":
        """The same tokens on another device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})


def pad(sentences: Sequence[Sequence[int]] | pa.ListArray, frame: Frame) -> TokenBatch:
    """Right-pad sentences of ids to the longest, and fill them up where the frame asks for query augmentation.

    Args:
        sentences: ids with their frame, cut.
        frame: of the tokenizer and the role that they were read with.
    """
    if not isinstance(sentences, pa.ListArray):
        sentences = pa.array(sentences, IDS)
    offsets = torch.from_numpy(sentences.offsets.to_numpy().astype(np.int64))
    lengths = offsets.diff().unsqueeze(1)
    width = max(int(lengths.max()), frame.expand_to)
    place = torch.arange(width).unsqueeze(0)
    real = place < lengths
    ids = torch.full(real.shape, frame.pad, dtype=torch.long)
    ids[real] = torch.from_numpy(sentences.values.to_numpy()[offsets[0] : offsets[-1]].astype(np.int64))
    inner = (place >= len(frame.before)) & (place < lengths - len(frame.after))
    filled = ~real & (place < frame.expand_to)
    ids[filled] = frame.filler
    scored = inner.clone() if frame.inner_scores else real | filled
    if frame.silent:
        scored &= ~torch.isin(ids, torch.tensor(frame.silent))
    return TokenBatch(ids, real | filled if frame.attends else real, scored, inner)
