"""Token shards: a tokens artefact on disk, read a few row groups at a time.

    train-00000.parquet ...   dataset (number), source_ids, target_ids, mono_ids; row groups of 2,000 of one data set
    dev-00000.parquet ...     the held-out pairs, likewise
    lengths.parquet           tokens of all three columns of every training pair, which is all that a schedule needs

``mono_ids`` is the target side as the reader of the source side reads it, for pairs in which the student reads English.
Question-passage pairs with mined negatives have a column ``negative_ids`` too, read as the target side is.
The manifest's info names the data sets in the order of their numbers, and holds the frames of both sides. ``tokenise``
writes it.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.model.text.frame import Frames
from optical.model.text.tokens import IDS

TOKENS = "tokens"
COLUMNS = ("source_ids", "target_ids", "mono_ids")
TOKENISED = pa.schema([("dataset", pa.string()), *((name, IDS) for name in COLUMNS)])
"""Tokenised pairs on their way to disk; there the data set's name becomes its number."""
NEGATIVE = "negative_ids"
"""The column of mined negatives, which only the pairs of a teacher's training may have."""
LENGTHS = pa.schema([(name.removesuffix("_ids"), pa.uint16()) for name in COLUMNS])
LENGTHS_FILE = "lengths.parquet"


@dataclass(frozen=True)
class Lengths:
    """Tokens of the columns of every pair, as arrays of integers."""

    source: np.ndarray
    target: np.ndarray
    mono: np.ndarray

    def take(self, rows: np.ndarray) -> Self:
        """Those of some pairs."""
        return type(self)(self.source[rows], self.target[rows], self.mono[rows])

    def widths(self, frames: Frames, source_length: int, target_length: int) -> Self:
        """Columns that each sentence takes in a batch, as int64: sums and areas need more than 16 bits."""
        source, target, mono = (lengths.astype(np.int64) for lengths in (self.source, self.target, self.mono))
        return type(self)(
            frames.source.widths(source, source_length),
            frames.target.widths(target, target_length),
            frames.source.widths(mono, min(source_length, target_length)),
        )


def read_lengths(tokens: Path) -> Lengths:
    """The lengths of every training pair, as uint16."""
    table = pq.read_table(tokens / LENGTHS_FILE, schema=LENGTHS)
    return Lengths(*(table[name].to_numpy() for name in LENGTHS.names))


@dataclass(frozen=True)
class TokenPairs:
    """Tokenised sentence pairs, row by row: the number of the data set each comes from, and the ids of each column.

    ``frames`` are those of the source side, which ``mono_ids`` share, and of the target side, which ``negative_ids``
    share, if there are any.
    """

    dataset: np.ndarray
    source_ids: pa.ListArray
    target_ids: pa.ListArray
    mono_ids: pa.ListArray
    frames: Frames
    negative_ids: pa.ListArray | None = None

    def __len__(self) -> int:
        return len(self.source_ids)

    @property
    def columns(self) -> dict[str, pa.ListArray]:
        """The ids of every column that there is, by its name."""
        mined = {} if self.negative_ids is None else {NEGATIVE: self.negative_ids}
        return {name: getattr(self, name) for name in COLUMNS} | mined

    @property
    def lengths(self) -> Lengths:
        """Tokens of each sentence."""
        return Lengths(*(pc.list_value_length(getattr(self, name)).to_numpy() for name in COLUMNS))

    def cut(self, source_length: int, target_length: int) -> "TokenPairs":
        """The same pairs with every side cut."""
        source, target = self.frames.source, self.frames.target
        negative_ids = None if self.negative_ids is None else target.cut(self.negative_ids, target_length)
        return replace(
            self,
            source_ids=source.cut(self.source_ids, source_length),
            target_ids=target.cut(self.target_ids, target_length),
            mono_ids=source.cut(self.mono_ids, min(source_length, target_length)),
            negative_ids=negative_ids,
        )

    def take(self, rows: np.ndarray) -> "TokenPairs":
        """Some of the pairs, in the order given."""
        chosen = pa.array(rows)
        return replace(
            self, dataset=self.dataset[rows], **{name: ids.take(chosen) for name, ids in self.columns.items()}
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
        frames: of the two sides.
    """

    folder: Path
    dataset_names: tuple[str, ...]
    shards: tuple[str, ...]
    shard: np.ndarray
    group: np.ndarray
    dataset: np.ndarray
    starts: np.ndarray
    frames: Frames

    def __len__(self) -> int:
        return int(self.starts[-1])

    @property
    def dataset_sizes(self) -> np.ndarray:
        """Pairs of each data set."""
        sizes = np.zeros(len(self.dataset_names), dtype=np.int64)
        np.add.at(sizes, self.dataset, np.diff(self.starts))
        return sizes

    @property
    def has_negatives(self) -> bool:
        """Whether there is a column of mined negatives."""
        return NEGATIVE in pq.read_schema(self.folder / self.shards[0]).names

    def take(self, positions: np.ndarray) -> TokenPairs:
        """The pairs at ``positions``, in that order; only their row groups are read."""
        groups = np.searchsorted(self.starts, positions, side="right") - 1
        wanted = np.unique(groups)
        table = pa.concat_tables(
            self._read(shard, wanted[self.shard[wanted] == shard]) for shard in np.unique(self.shard[wanted])
        )
        sizes = np.diff(self.starts)[wanted]
        place = np.searchsorted(wanted, groups)
        rows = table.take(pa.array((np.cumsum(sizes) - sizes)[place] + positions - self.starts[groups]))
        columns = {name: rows[name].combine_chunks() for name in rows.column_names if name != "dataset"}
        return TokenPairs(rows["dataset"].to_numpy(), frames=self.frames, **columns)

    def _read(self, shard: int, groups: np.ndarray) -> pa.Table:
        with pq.ParquetFile(self.folder / self.shards[shard]) as file:
            return file.read_row_groups(self.group[groups].tolist())


def open_tokens(folder: Path, split: str = "train") -> TokenShards:
    """The ``train`` or ``dev`` split of a tokens artefact; only the files' footers are read.

    Raises:
        DataError: there is no such artefact.
    """
    info = artefacts.read(folder, TOKENS, verify=False).info
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
    names, frames = tuple(info["datasets"]), Frames.of(info["frames"])
    shards = tuple(file.name for file in files)
    return TokenShards(Path(folder), names, shards, shard, group, dataset, starts, frames)


def read_split(tokens: Path, split: str) -> TokenPairs:
    """All pairs of a split; for the held-out ones, which are few."""
    shards = open_tokens(tokens, split)
    return shards.take(np.arange(len(shards)))
