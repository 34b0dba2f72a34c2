"""Token sequences: cutting, padding, and the parquet token shards that training reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from jaxtyping import Bool, Int
from torch import Tensor

from optical.errors import DataError

SCHEMA = pa.schema([("source_ids", pa.list_(pa.int32())), ("target_ids", pa.list_(pa.int32()))])


def cut(ids: Sequence[int], length: int) -> Sequence[int]:
    """The first tokens of a sentence, at most ``length``, its closing token ([SEP]) kept.

    >>> cut([101, 7, 8, 9, 102], 4)
    [101, 7, 8, 102]
    """
    return ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]


def pad(sentences: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "batch tokens"], Bool[Tensor, "batch tokens"]]:
    """Right-pad sentences of ids with zeros: the ids, and the mask of real tokens."""
    lengths = torch.tensor([len(sentence) for sentence in sentences])
    mask = torch.arange(int(lengths.max())).unsqueeze(0) < lengths.unsqueeze(1)
    ids = torch.zeros(mask.shape, dtype=torch.long)
    ids[mask] = torch.as_tensor(np.concatenate([np.asarray(sentence, dtype=np.int64) for sentence in sentences]))
    return ids, mask


@dataclass(frozen=True)
class TokenPairs:
    """Tokenised sentence pairs, by position."""

    source_ids: pa.ListArray
    target_ids: pa.ListArray

    def __len__(self) -> int:
        return len(self.source_ids)

    @property
    def source_lengths(self) -> np.ndarray:
        """Tokens of each source sentence, uncut."""
        return pc.list_value_length(self.source_ids).to_numpy()

    @property
    def target_lengths(self) -> np.ndarray:
        """Tokens of each target sentence, uncut."""
        return pc.list_value_length(self.target_ids).to_numpy()

    def sentences(self, side: str, positions: np.ndarray, length: int) -> list[Sequence[int]]:
        """The ``source`` or ``target`` sentences at ``positions``, cut to ``length`` tokens."""
        column = self.source_ids if side == "source" else self.target_ids
        return [cut(ids, length) for ids in column.take(pa.array(positions)).to_pylist()]


@lru_cache(maxsize=4)
def read_tokens(folder: Path, split: str = "train") -> TokenPairs:
    """The token shards ``<split>-*.parquet`` of a tokens artefact, in order; cached per process."""
    shards = sorted(Path(folder).glob(f"{split}-*.parquet"))
    if not shards:
        raise DataError(folder, f"no {split}-*.parquet here", "run the verb train, which makes it")
    table = pa.concat_tables([pq.read_table(shard, schema=SCHEMA) for shard in shards]).combine_chunks()
    return TokenPairs(table["source_ids"].combine_chunks(), table["target_ids"].combine_chunks())
