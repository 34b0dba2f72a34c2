"""In how many sentences of the training pairs each token occurs, and its inverse document frequency.

A sentence is a document here, as in BERTScore (Zhang et al. 2020, arXiv:1904.09675), which weights word pieces so. This
file imports no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Float, Int

from optical.data.batches.token_shards import TokenShards
from optical.model.text.frame import Frame


@dataclass(frozen=True, eq=False)
class SentenceFrequencies:
    """In how many sentences each token occurs.

    Args:
        sentences: how many there are.
        counts: how many of them each id occurs in; an id behind the last one occurs in none.
    """

    sentences: int
    counts: Int[np.ndarray, " ids"]

    @property
    def idf(self) -> Float[np.ndarray, " ids_and_one"]:
        """Smoothed inverse document frequencies ln((1 + n) / (1 + df)) + 1, as scikit-learn's ``TfidfTransformer``.

        They are 1 for a token of every sentence, and larger for all others. The last one, float32 like all, is that of
        every token that occurs in no sentence.
        """
        counts = np.append(self.counts, 0)
        return (np.log((1 + self.sentences) / (1 + counts)) + 1).astype(np.float32)


def sentence_frequencies(tokens: TokenShards, columns: Sequence[str]) -> SentenceFrequencies:
    """The frequencies over whole sentences; one column of one row group is read at a time.

    What stands around every text (special tokens, marker, prefix) is not counted.

    Args:
        tokens: the training pairs.
        columns: to count in, all by one tokenizer; each of them has one sentence of every pair.
    """
    counts = np.zeros(0, dtype=np.int64)
    for name in tokens.shards:
        with pq.ParquetFile(tokens.folder / name) as file:
            for group in range(file.num_row_groups):
                for column in columns:
                    frame = tokens.frames.target if column == "target_ids" else tokens.frames.source
                    sentences = file.read_row_group(group, columns=[column])[column].combine_chunks()
                    counts = _sum(counts, _counted(sentences, frame))
    return SentenceFrequencies(len(tokens) * len(columns), counts)


def _counted(sentences: pa.ListArray, frame: Frame) -> np.ndarray:
    """How many of the sentences each id occurs in, as a text's own token."""
    lengths = pc.list_value_length(sentences).to_numpy()
    ids = pc.list_flatten(sentences).to_numpy().astype(np.int64)
    place = np.arange(len(ids)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    own = (place >= len(frame.before)) & (place < np.repeat(lengths, lengths) - len(frame.after))
    row, ids = np.repeat(np.arange(len(lengths)), lengths)[own], ids[own]
    size = int(ids.max(initial=-1)) + 1
    return np.bincount(np.unique(row * size + ids) % max(size, 1), minlength=size)


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The sum of two counts, of which one may be shorter."""
    total = np.zeros(max(len(one), len(other)), dtype=np.int64)
    total[: len(one)] += one
    total[: len(other)] += other
    return total
