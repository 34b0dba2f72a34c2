"""Token shards: a tokens artefact on disk, written in one pass and read a few row groups at a time.

    train-00000.parquet ...   dataset (number), source_ids, target_ids; row groups of 2,000 pairs of one data set
    dev-00000.parquet ...     the held-out pairs, likewise
    lengths.parquet           tokens of both sides of every training pair, which is all a schedule has to know

The manifest's info names the data sets in the order of their numbers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.bitext.shards import ShardWriter
from optical.errors import DataError
from optical.model.tokens import IDS, cut_all

TOKENS = "tokens"
TOKENISED = pa.schema([("dataset", pa.string()), ("source_ids", IDS), ("target_ids", IDS)])
"""Tokenised pairs on their way to disk; there the data set's name becomes its number."""
ROWS_PER_GROUP = 2000
_SIDES = ("source_ids", "target_ids")
_ON_DISK = TOKENISED.set(0, pa.field("dataset", pa.int16()))
_LENGTHS = pa.schema([("source", pa.uint16()), ("target", pa.uint16())])
_LONGEST = np.iinfo(np.uint16).max
_LENGTHS_FILE = "lengths.parquet"


def write_tokens(
    path: Path,
    made_from: str,
    tokenised: Iterable[pa.Table],
    num_pairs: int,
    dev_pairs: int,
    sizes: Sequence[int] = (),
) -> None:
    """Write token shards, holding out ``dev_pairs`` evenly spaced pairs, and commit the artefact.

    A pair of which one side has no token besides the special ones is dropped and counted in the info.

    Args:
        path: final place of the artefact.
        made_from: fingerprint of the bitext and the tokenizers.
        tokenised: tables of ``TOKENISED``, data set after data set.
        num_pairs: how many pairs they hold.
        dev_pairs: how many of these no step trains on.
        sizes: pairs of each data set, in order; of a set with none among the evenly spaced, the middle is held out too.

    Raises:
        DataError: fewer pairs than would leave anything to train on, over all or of one data set.
    """
    if num_pairs < 2 * dev_pairs:
        advice = "give more bitext or set bitext.dev_pairs lower"
        raise DataError(path, f"{num_pairs} pairs, of which {dev_pairs} would be held out", advice)
    held_out = _held_out(num_pairs, dev_pairs, sizes)
    names: dict[str, int] = {}
    info: dict[str, object] = {"pairs": num_pairs}
    with (
        artefacts.writing(path, TOKENS, made_from, info) as scratch,
        ShardWriter(scratch, "train", _ON_DISK) as train_shards,
        ShardWriter(scratch, "dev", _ON_DISK) as dev_shards,
        pq.ParquetWriter(scratch / _LENGTHS_FILE, _LENGTHS) as lengths,
    ):
        train, dev = _Grouped(train_shards, lengths), _Grouped(dev_shards)
        seen = 0
        for table in tokenised:
            has_words = pc.and_(*(pc.greater(pc.list_value_length(table[side]), 2) for side in _SIDES))
            is_dev = pa.array(np.isin(np.arange(seen, seen + len(table)), held_out))
            table, seen = _numbered(table, names), seen + len(table)
            train.write(table.filter(pc.and_(has_words, pc.invert(is_dev))))
            dev.write(table.filter(pc.and_(has_words, is_dev)))
        train.close()
        dev.close()
        if not train_shards.rows:
            raise DataError(path, f"none of {seen} pairs has words on both sides", "check languages and tokenizers")
        if idle := [name for name, number in names.items() if number not in train.numbers]:
            what = "leaves no pair to train on: what it has is held out, or without words on a side"
            raise DataError(idle[0], what, "give more of it, or leave it out")
        dropped = seen - train_shards.rows - dev_shards.rows
        info |= {"datasets": list(names), "train": train_shards.rows, "dev": dev_shards.rows, "no_tokens": dropped}


def _held_out(num_pairs: int, dev_pairs: int, sizes: Sequence[int]) -> np.ndarray:
    spaced = np.linspace(0, num_pairs - 1, dev_pairs).astype(int)
    ends = np.cumsum(sizes, dtype=int)
    middles = [end - size + size // 2 for size, end in zip(sizes, ends, strict=True)]
    lacking = [not np.any((end - size <= spaced) & (spaced < end)) for size, end in zip(sizes, ends, strict=True)]
    return np.concatenate([spaced, np.array(middles, int)[lacking]])


def _numbered(table: pa.Table, names: dict[str, int]) -> pa.Table:
    """The table with the numbers of its data sets; a name not met before gets the next one."""
    column = table["dataset"].combine_chunks().dictionary_encode()
    numbers = [names.setdefault(name, len(names)) for name in column.dictionary.to_pylist()]
    dataset = pa.array(numbers, pa.int16()).take(column.indices)
    return table.set_column(0, "dataset", dataset)


class _Grouped:
    """Writes row groups of ``ROWS_PER_GROUP`` pairs of one data set, and their lengths beside them."""

    def __init__(self, shards: ShardWriter, lengths: pq.ParquetWriter | None = None) -> None:
        self._shards, self._lengths = shards, lengths
        self._waiting: list[pa.Table] = []
        self._rows = 0
        self.numbers: set[int] = set()

    def write(self, table: pa.Table) -> None:
        changes = np.flatnonzero(np.diff(table["dataset"].to_numpy())) + 1
        self.numbers.update(pc.unique(table["dataset"]).to_pylist())
        for start, end in zip([0, *changes], [*changes, len(table)], strict=True):
            part = table.slice(start, end - start)
            if self._waiting and len(part) and self._waiting[0]["dataset"][0] != part["dataset"][0]:
                self._flush()
            self._fill(part)

    def close(self) -> None:
        self._flush()
        self._shards.close()

    def _fill(self, part: pa.Table) -> None:
        while len(part):
            head = part.slice(0, ROWS_PER_GROUP - self._rows)
            self._waiting.append(head)
            self._rows += len(head)
            part = part.slice(len(head))
            if self._rows == ROWS_PER_GROUP:
                self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        group = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._rows = [], 0
        self._shards.write(group)
        if self._lengths:
            counts = [pc.min_element_wise(pc.list_value_length(group[side]), _LONGEST) for side in _SIDES]
            self._lengths.write_table(pa.table(counts, names=_LENGTHS.names).cast(_LENGTHS))


def read_lengths(tokens: Path) -> tuple[np.ndarray, np.ndarray]:
    """Tokens of the source and of the target of every training pair, as two arrays of uint16."""
    table = pq.read_table(tokens / _LENGTHS_FILE, schema=_LENGTHS)
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
    shards = sorted(Path(folder).glob(f"{split}-*.parquet"))
    where, rows = [], []
    for number, shard in enumerate(shards):
        footer = pq.read_metadata(shard)
        for group in range(footer.num_row_groups):
            part = footer.row_group(group)
            where.append((number, group, part.column(0).statistics.min))
            rows.append(part.num_rows)
    shard, group, dataset = np.array(where, dtype=np.int64).reshape(-1, 3).T
    starts = np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])
    return TokenShards(Path(folder), tuple(names), tuple(file.name for file in shards), shard, group, dataset, starts)


def read_split(tokens: Path, split: str) -> TokenPairs:
    """All pairs of a split; for the held-out ones, which are few."""
    shards = open_tokens(tokens, split)
    return shards.take(np.arange(len(shards)))


def _pairs(table: pa.Table) -> TokenPairs:
    source, target = (table[side].combine_chunks() for side in _SIDES)
    return TokenPairs(table["dataset"].to_numpy(), source, target)
