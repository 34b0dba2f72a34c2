"""Sentences to token embeddings in batches: the one place that groups sentences by length.

The composition of a batch decides the last bits of a float32 product. Every caller whose result is stored or compared
therefore fixes ``at_once`` and the order in which sentences share a forward pass.
"""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from jaxtyping import Float
from torch import Tensor

from optical.model.encoder import Encoder
from optical.model.text.frame import Frame
from optical.model.text.padding import pad
from optical.model.text.roles import Role

AT_ONCE = 32


def encode_texts(
    encoder: Encoder,
    texts: Sequence[str],
    role: Role,
    length: int,
    at_once: int = AT_ONCE,
    dtype: torch.dtype = torch.float32,
) -> list[Float[Tensor, "tokens dim"]]:
    """Embeddings of the tokens of each text that score in MaxSim, on the CPU; of a pooled encoder, the text's one.

    Args:
        encoder: without gradients; it is used on its own device.
        texts: neighbours in number of characters share a forward pass.
        role: how the texts are read.
        length: a text is cut to so many tokens, or to as many as the backbone has positions for.
        at_once: texts per forward pass.
        dtype: of the result.
    """
    sentences = encoder.reader.encode(texts, role, min(length, encoder.positions))
    sizes = [len(text) for text in texts]
    return encode_ids(encoder, sentences, encoder.reader.frames[role], at_once, dtype, sizes, scored=True)


@torch.no_grad()
def encode_ids(
    encoder: Encoder,
    sentences: pa.ListArray,
    frame: Frame,
    at_once: int,
    dtype: torch.dtype = torch.float32,
    sizes: Sequence[int] | None = None,
    scored: bool = False,
) -> list[Float[Tensor, "tokens dim"]]:
    """Token embeddings of each sentence of ids, in the order given, padding dropped, on the CPU.

    Args:
        encoder: without gradients; it is used on its own device.
        sentences: ids, already cut to a length that the backbone can read.
        frame: that the ids were read with.
        at_once: sentences per forward pass.
        dtype: of the result.
        sizes: what sentences are sorted by before they are grouped, so that little of a batch is padding; by default
            their numbers of tokens.
        scored: only the tokens that MaxSim sees; else all of the sentence and of its query augmentation.
    """
    lengths = pc.list_value_length(sentences).to_numpy()
    order = np.argsort(lengths if sizes is None else np.asarray(sizes), kind="stable")
    encoded: list[Tensor] = [torch.empty(0)] * len(sentences)
    for start in range(0, len(sentences), at_once):
        rows = order[start : start + at_once]
        batch = pad(sentences.take(pa.array(rows)), frame)
        found = encoder(batch.ids.to(encoder.device), batch.mask.to(encoder.device)).to(dtype).cpu()
        for place, row in enumerate(rows):
            if encoder.pooling:
                encoded[row] = found[place]
            elif scored:
                encoded[row] = found[place][batch.scored[place]]
            else:
                encoded[row] = found[place][: max(lengths[row], frame.expand_to)]
    return encoded
