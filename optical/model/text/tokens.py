"""Token ids of sentences, cut to a length. Without torch, because tasks that gather batches import this."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

IDS = pa.list_(pa.int32())
"""Arrow type of one sentence's token ids."""


def cut(ids: Sequence[int], length: int, closing: int = 1) -> Sequence[int]:
    """The first tokens of a sentence, at most ``length``, its last ``closing`` tokens kept.

    >>> cut([101, 7, 8, 9, 102], 4), cut([7, 8, 9], 2, closing=0)
    ([101, 7, 8, 102], [7, 8])
    """
    return ids if len(ids) <= length else [*ids[: length - closing], *ids[len(ids) - closing :]]


def cut_all(sentences: pa.ListArray, length: int, closing: int = 1) -> pa.ListArray:
    """Every sentence cut to ``length`` tokens, as ``cut`` does one.

    >>> cut_all(pa.array([[101, 7, 8, 9, 102], [101, 102]], IDS), 4).to_pylist()
    [[101, 7, 8, 102], [101, 102]]
    """
    starts = sentences.offsets.to_numpy()
    lengths = np.diff(starts)
    too_long = lengths > length
    if not too_long.any():
        return sentences
    kept = np.minimum(lengths, length)
    offsets = np.concatenate([[0], np.cumsum(kept)])
    where = np.arange(offsets[-1]) + np.repeat(starts[:-1] - offsets[:-1], kept)
    for place in range(1, closing + 1):
        where[offsets[1:][too_long] - place] = starts[1:][too_long] - place
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), sentences.values.take(pa.array(where)))
