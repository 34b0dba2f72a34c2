"""From clean shards to token shards: a Ray Data stream of token ids, and the writer of the tokens artefact.

What the artefact holds is described in ``token_shards``.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.batches.token_shards import LENGTHS, LENGTHS_FILE, SIDES, TOKENISED, TOKENS
from optical.data.bitext.shards import ROWS_PER_SHARD, ShardWriter
from optical.data.bitext.stream import WORKING_CPUS, one_block_each, ordered_and_quiet
from optical.errors import DataError
from optical.model.vocabulary.tokenizer import UNK, load_tokenizer
from optical.model.vocabulary.wordwise import WordwiseTokenizer

ROWS_PER_GROUP = 2000
_PAIRS_AT_ONCE = 1 << 13
_ON_DISK = TOKENISED.set(0, pa.field("dataset", pa.int16()))
_LONGEST = np.iinfo(np.uint16).max


def tokenised_pairs(shards: Sequence[str], source_tokenizer: Path, target_tokenizer: Path) -> Iterator[pa.Table]:
    """Token ids of both sides of every pair in the parquet ``shards``, in order (``TOKENISED``).

    Args:
        shards: parquet files with ``dataset``, ``source`` and ``target``.
        source_tokenizer: folder of the student's tokenizer.
        target_tokenizer: folder of the teacher's tokenizer.
    """
    ordered_and_quiet()
    stream = one_block_each({"shard": shard} for shard in shards).map_batches(
        _tokenise,  # type: ignore[arg-type]  # Ray's type has no keyword arguments
        fn_kwargs={"source_tokenizer": source_tokenizer, "target_tokenizer": target_tokenizer},
        batch_size=None,
        batch_format="pyarrow",
        num_cpus=WORKING_CPUS,
    )
    yield from stream.iter_batches(batch_size=None, batch_format="pyarrow")


class UnknownTokens:
    """Counts the source tokens that are [UNK]: words with a letter that the vocabulary lacks."""

    def __init__(self, source_tokenizer: Path) -> None:
        self._id = load_tokenizer(source_tokenizer).token_to_id(UNK)
        self._unknown = self._tokens = 0

    def counted(self, tokenised: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """The tables unchanged, once counted."""
        for table in tokenised:
            ids = pc.list_flatten(table["source_ids"])
            self._tokens += len(ids)
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
    num_pairs: int,
    dev_pairs: int,
    sizes: Sequence[int] = (),
    rows_per_group: int = ROWS_PER_GROUP,
    rows_per_shard: int = ROWS_PER_SHARD,
) -> None:
    """Write token shards, holding out ``dev_pairs`` evenly spaced pairs, and commit the artefact.

    A pair with a side without any token besides the special ones is dropped and counted in the info.

    Args:
        path: final place of the artefact.
        made_from: fingerprint of the bitext and the tokenizers.
        tokenised: tables of ``TOKENISED``, data set after data set.
        num_pairs: how many pairs they hold.
        dev_pairs: how many of them no step trains on.
        sizes: pairs of each data set, in order; of a set with none among the evenly spaced, the middle is held out too.
        rows_per_group: pairs of a row group.
        rows_per_shard: pairs of a file.

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
        ShardWriter(scratch, "train", _ON_DISK, rows_per_shard) as train_shards,
        ShardWriter(scratch, "dev", _ON_DISK, rows_per_shard) as dev_shards,
        pq.ParquetWriter(scratch / LENGTHS_FILE, LENGTHS) as lengths,
    ):
        train, dev = _Grouped(train_shards, rows_per_group, lengths), _Grouped(dev_shards, rows_per_group)
        seen = 0
        for table in tokenised:
            has_words = pc.and_(*(pc.greater(pc.list_value_length(table[side]), 2) for side in SIDES))
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
            counts = [pc.min_element_wise(pc.list_value_length(group[side]), _LONGEST) for side in SIDES]
            self._lengths.write_table(pa.table(counts, names=LENGTHS.names).cast(LENGTHS))


def _tokenise(shards: pa.Table, source_tokenizer: Path, target_tokenizer: Path) -> Iterator[pa.Table]:
    """A whole shard in one task: reading is cheap, and a tokenizer gets faster with the words that it has seen."""
    sides = {"source": _tokenizer(source_tokenizer), "target": _tokenizer(target_tokenizer)}
    for shard in shards["shard"].to_pylist():
        with pq.ParquetFile(shard) as file:
            for pairs in file.iter_batches(_PAIRS_AT_ONCE, columns=["dataset", *sides]):
                ids = [tokenizer.encode(pairs[side]) for side, tokenizer in sides.items()]
                yield pa.table([pairs["dataset"], *ids], schema=TOKENISED)


@lru_cache(maxsize=4)
def _tokenizer(folder: Path) -> WordwiseTokenizer:
    # The tasks use all cores already; more threads in each would slow the others down.
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    return WordwiseTokenizer(load_tokenizer(folder))
