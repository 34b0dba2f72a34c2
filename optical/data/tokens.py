"""Token sequences as they are in memory, cut to a length."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

IDS = pa.list_(pa.int32())
"""Arrow type of one sentence's token ids."""


def cut(ids: Sequence[int], length: int) -> Sequence[int]:
    """The first tokens of a sentence, at most ``length``, its closing token ([SEP]) kept.

    >>> cut([101, 7, 8, 9, 102], 4)
    [101, 7, 8, 102]
    """
    return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]


def cut_all(sentences: pa.ListArray, length: int) -> pa.ListArray:
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
    where[offsets[1:][too_long] - 1] = starts[1:][too_long] - 1
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), sentences.values.take(pa.array(where)))


@dataclass(frozen=True)
class TokenPairs:
    """Tokenised sentence pairs, row by row: the number of the data set each comes from, and the ids of both sides."""

    dataset: np.ndarray
    source_ids: pa.ListArray
    target_ids: pa.ListArray

    def __len__(self) -> int:
        return len(self.source_ids)

    @property
    def source_lengths(self) -> np.ndarray:
        """Tokens of each source sentence."""
        return pc.list_value_length(self.source_ids).to_numpy()

    @property
    def target_lengths(self) -> np.ndarray:
        """Tokens of each target sentence."""
        return pc.list_value_length(self.target_ids).to_numpy()

    def cut(self, source_length: int, target_length: int) -> "TokenPairs":
        """The same pairs with both sides cut."""
        return TokenPairs(
            self.dataset, cut_all(self.source_ids, source_length), cut_all(self.target_ids, target_length)
        )
