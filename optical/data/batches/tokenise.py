"""From clean shards to token shards: a Ray Data stream of token ids, and the writer of the tokens artefact.

What the artefact holds is described in ``token_shards``.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.batches.token_shards import COLUMNS, LENGTHS, LENGTHS_FILE, NEGATIVE, TOKENISED, TOKENS
from optical.data.bitext.shards import ROWS_PER_SHARD, ShardWriter
from optical.data.bitext.stream import WORKING_CPUS, one_block_each, ordered_and_quiet
from optical.errors import DataError
from optical.model.text.frame import Frames
from optical.model.text.reader import TextReader, load_reader
from optical.model.text.roles import Role
from optical.model.text.tokens import IDS
from optical.model.vocabulary.wordwise import WordwiseTokenizer

ROWS_PER_GROUP = 2000
_PAIRS_AT_ONCE = 1 << 13
_ON_DISK = TOKENISED.set(0, pa.field("dataset", pa.int16()))
_WITH_NEGATIVES = _ON_DISK.append(pa.field(NEGATIVE, IDS))
_LONGEST = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class Side:
    """Who reads one side of the pairs, and how."""

    model: Path
    """A model folder."""
    role: Role = "query"
    """The role in which it reads them."""

    def reader(self) -> TextReader:
        """The reader of the model."""
        return load_reader(self.model)


def frames_of(source: Side, target: Side) -> Frames:
    """The frames of both sides."""
    return Frames(source.reader().frames[source.role], target.reader().frames[target.role])


def tokenised_pairs(shards: Sequence[str], source: Side, target: Side) -> Iterator[pa.Table]:
    """Token ids of every pair in the parquet ``shards``, in order (``TOKENISED``).

    Args:
        shards: parquet files with ``dataset``, ``source`` and ``target``.
        source: who reads the source side, and the target side of monolingual pairs: the student.
        target: who reads the target side: the teacher.
    """
    ordered_and_quiet()
    stream = one_block_each({"shard": shard} for shard in shards).map_batches(
        _tokenise,  # type: ignore[arg-type]  # Ray's type has no keyword arguments
        fn_kwargs={"source": source, "target": target},
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=WORKING_CPUS,
    )
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow")


def with_negatives(tokenised: Iterable[pa.Table], negatives: np.ndarray) -> Iterator[pa.Table]:
    """The tables with the column ``NEGATIVE``: the target of the pair that is mined, or a pair's own if none is.

    All ids are held at once, because a negative may come from any table.

    Args:
        tokenised: tables of ``TOKENISED``, in the order of the pairs.
        negatives: the number of each pair's negative, or -1 (``negatives.read_negatives``).

    Raises:
        DataError: the pairs are not as many as the negatives.
    """
    tables = list(tokenised)
    targets = pa.chunked_array([chunk for table in tables for chunk in table["target_ids"].chunks], IDS)
    if len(targets) != len(negatives):
        what = f"there are {len(negatives)} for {len(targets)} pairs"
        raise DataError("mined negatives", what, "delete the negatives artefact and rerun")
    chosen = np.where(negatives < 0, np.arange(len(negatives)), negatives)
    start = 0
    for table in tables:
        end = start + len(table)
        yield table.append_column(pa.field(NEGATIVE, IDS), targets.take(pa.array(chosen[start:end])))
        start = end


class UnknownTokens:
    """Counts the source tokens that are unknown: words with a letter that the vocabulary lacks."""

    def __init__(self, source: TextReader) -> None:
        self._id = source.unknown
        self._unknown = self._tokens = 0

    def counted(self, tokenised: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The tables unchanged, once counted."""
        for table in tokenised:
            ids = pc.list_flatten(table["source_ids"])
            self._tokens += len(ids)
            if self._id is not None:
                self._unknown += pc.sum(pc.equal(ids, self._id)).as_py() or 0
            yield table

    @property
    def share(self) -> float:
        """Unknown tokens among all that were counted."""
        return self._unknown / max(1, self._tokens)


def write_tokens(
    path: Path,
    made_from: str,
    tokenised: Iterable[pa.Table],
    frames: Frames,
    num_pairs: int,
    dev_pairs: int,
    sizes: Sequence[int] = (),
    rows_per_group: int = ROWS_PER_GROUP,
    rows_per_shard: int = ROWS_PER_SHARD,
    negatives: bool = False,
) -> None:
    """Write token shards, holding out ``dev_pairs`` evenly spaced pairs, and commit the artefact.

    A pair with a side without any token of its own is dropped and counted in the info.

    Args:
        path: final place of the artefact.
        made_from: fingerprint of the bitext and the tokenizers.
        tokenised: tables of ``TOKENISED``, data set after data set.
        frames: of both sides.
        num_pairs: how many pairs they hold.
        dev_pairs: how many of them no step trains on.
        sizes: pairs of each data set, in order; of a set with none among the evenly spaced, the middle is held out too.
        rows_per_group: pairs of a row group.
        rows_per_shard: pairs of a file.
        negatives: whether the tables have a column of mined negatives.

    Raises:
        DataError: fewer pairs than would leave anything to train on, over all or of one data set.
    """
    if num_pairs < 2 * dev_pairs:
        advice = "give more bitext or set bitext.dev_pairs lower"
        raise DataError(path, f"{num_pairs} pairs, of which {dev_pairs} would be held out", advice)
    held_out = _held_out(num_pairs, dev_pairs, sizes)
    names: dict[str, int] = {}
    schema = _WITH_NEGATIVES if negatives else _ON_DISK
    info: dict[str, object] = {"pairs": num_pairs, "frames": frames.as_dict()}
    with (
        artefacts.writing(path, TOKENS, made_from, info) as scratch,
        ShardWriter(scratch, "train", schema, rows_per_shard) as train_shards,
        ShardWriter(scratch, "dev", schema, rows_per_shard) as dev_shards,
        pq.ParquetWriter(scratch / LENGTHS_FILE, LENGTHS) as lengths,
    ):
        train, dev = _Grouped(train_shards, rows_per_group, lengths), _Grouped(dev_shards, rows_per_group)
        seen = 0
        for table in tokenised:
            has_words = _have_words(table, frames)
            is_dev = pa.array(np.isin(np.arange(seen, seen + len(table)), held_out))
            table, seen = _numbered(table, names), seen + len(table)
            train.write(table.filter(pc.and_(has_words, pc.invert(is_dev))))
            dev.write(table.filter(pc.and_(has_words, is_dev)))
        train.close()
        dev.close()
        if not train_shards.rows:
            raise DataError(path, f"none of {seen} pairs has words on both sides", "check languages and tokenizers")
        _check_none_idle(names, train.numbers)
        dropped = seen - train_shards.rows - dev_shards.rows
        info |= {"datasets": list(names), "train": train_shards.rows, "dev": dev_shards.rows, "no_tokens": dropped}


def _check_none_idle(names: dict[str, int], trained: set[int]) -> None:
    if idle := [name for name, number in names.items() if number not in trained]:
        what = "leaves no pair to train on: what it has is held out, or without words on a side"
        raise DataError(idle[0], what, "give more of it, or leave it out")


def _have_words(table: pa.Table, frames: Frames) -> pa.Array:
    sides = ((table["source_ids"], frames.source), (table["target_ids"], frames.target))
    return pc.and_(*(pc.greater(pc.list_value_length(ids), frame.size) for ids, frame in sides))


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
    """Writes row groups of one data set each, and the lengths of their pairs into a file of their own."""

    def __init__(self, shards: ShardWriter, rows_per_group: int, lengths: pq.ParquetWriter | None = None) -> None:
        self._shards, self._lengths, self._rows_per_group = shards, lengths, rows_per_group
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
            head = part.slice(0, self._rows_per_group - self._rows)
            self._waiting.append(head)
            self._rows += len(head)
            part = part.slice(len(head))
            if self._rows == self._rows_per_group:
                self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        group = pa.concat_tables(self._waiting).combine_chunks()
        self._waiting, self._rows = [], 0
        self._shards.write(group)
        if self._lengths:
            counts = [pc.min_element_wise(pc.list_value_length(group[side]), _LONGEST) for side in COLUMNS]
            self._lengths.write_table(pa.table(counts, names=LENGTHS.names).cast(LENGTHS))


def _tokenise(shards: pa.Table, source: Side, target: Side) -> Iterator[pa.Table]:
    """A whole shard in one task: reading is cheap, and a tokenizer gets faster with the words that it has seen."""
    student, teacher = _tokenizer(source), _tokenizer(target)
    for shard in shards["shard"].to_pylist():
        with pq.ParquetFile(shard) as file:
            for pairs in file.iter_batches(_PAIRS_AT_ONCE, columns=["dataset", "source", "target"]):
                targets = teacher.encode(pairs["target"])
                mono = targets if source == target else student.encode(pairs["target"])
                yield pa.table([pairs["dataset"], student.encode(pairs["source"]), targets, mono], schema=TOKENISED)


@lru_cache(maxsize=4)
def _tokenizer(side: Side) -> WordwiseTokenizer:
    # The tasks use all cores already; more threads in each would slow the others down.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return WordwiseTokenizer(side.reader(), side.role)
