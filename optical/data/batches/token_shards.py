"""Token shards: a tokens artefact on disk, read a few row groups at a time.

    train-00000.parquet ...   dataset (number), source_ids, target_ids; row groups of 2,000 pairs of one data set
    dev-00000.parquet ...     the held-out pairs, likewise
    lengths.parquet           tokens of both sides of every training pair, which is all that a schedule needs

The manifest's info names the data sets in the order of their numbers. ``tokenise`` writes it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.model.tokens import IDS, cut_all

TOKENS = "tokens"
TOKENISED = pa.schema([("dataset", pa.string()), ("source_ids", IDS), ("target_ids", IDS)])
"""Tokenised pairs on their way to disk; there the data set's name becomes its number."""
SIDES = ("source_ids", "target_ids")
LENGTHS = pa.schema([("source", pa.uint16()), ("target", pa.uint16())])
LENGTHS_FILE = "lengths.parquet"


def read_lengths(tokens: Path) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of the source and of the target of every training pair, as two arrays of uint16."""
    table = pq.read_table(tokens / LENGTHS_FILE, schema=LENGTHS)
    return table["source"].to_numpy(), table["target"].to_numpy()


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


@dataclass(frozen=True, eq=False)
class TokenShards:
    """Where the row groups of one split are: small, so that it travels to every task that reads some of them.

    Args:
        folder: the tokens artefact.
        dataset_names: names of the data sets, by number.
        shards: names of the parquet files, in order.
        shard: for each row group, the number of its file.
        group: for each row group, its number in that file.
        dataset: for each row group, the number of its data set.
        starts: position of each group's first pair, and the number of pairs at the end.
    """

    folder: Path
    dataset_names: tuple[str, ...]
    shards: tuple[str, ...]
    shard: np.ndarray
    group: np.ndarray
    dataset: np.ndarray
    starts: np.ndarray

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def dataset_sizes(self) -> np.ndarray:
        """Pairs of each data set."""
        sizes = np.zeros(len(self.dataset_names), dtype=np.int64)
        np.add.at(sizes, self.dataset, np.diff(self.starts))
        return sizes

    def take(self, positions: np.ndarray) -> TokenPairs:
        """The pairs at ``positions``, in that order; only their row groups are read."""
        groups = np.searchsorted(self.starts, positions, side="right") - 1
        wanted = np.unique(groups)
        table = pa.concat_tables(
            self._read(shard, wanted[self.shard[wanted] == shard]) for shard in np.unique(self.shard[wanted])
        )
        sizes = np.diff(self.starts)[wanted]
        place = np.searchsorted(wanted, groups)
        return _pairs(table.take(pa.array((np.cumsum(sizes) - sizes)[place] + positions - self.starts[groups])))

    def _read(self, shard: int, groups: np.ndarray) -> pa.Table:
        with pq.ParquetFile(self.folder / self.shards[shard]) as file:
            return file.read_row_groups(self.group[groups].tolist())


def open_tokens(folder: Path, split: str = "train") -> TokenShards:
    """The ``train`` or ``dev`` split of a tokens artefact; only the files' footers are read.

    Raises:
        DataError: there is no such artefact.
    """
    names = artefacts.read(folder, TOKENS, verify=False).info["datasets"]
    files = sorted(Path(folder).glob(f"{split}-*.parquet"))
    where, rows = [], []
    for number, file in enumerate(files):
        footer = pq.read_metadata(file)
        for place in range(footer.num_row_groups):
            part = footer.row_group(place)
            where.append((number, place, part.column(0).statistics.min))
            rows.append(part.num_rows)
    shard, group, dataset = np.array(where, dtype=np.int64).reshape(-1, 3).T
    starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])
    return TokenShards(Path(folder), tuple(names), tuple(file.name for file in files), shard, group, dataset, starts)


def read_split(tokens: Path, split: str) -> TokenPairs:
    """All pairs of a split; for the held-out ones, which are few."""
    shards = open_tokens(tokens, split)
    return shards.take(np.arange(len(shards)))


def _pairs(table: pa.Table) -> TokenPairs:
    source, target = (table[side].combine_chunks() for side in SIDES)
    return TokenPairs(table["dataset"].to_numpy(), source, target)
