"""Clean shards: streams of checked pairs and of their tokens, written as parquet files with counts.

Both functions take a stream of Arrow tables in order (Ray Data makes it) and leave an artefact behind; nothing
here holds more than one shard in memory.
"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.config import BitextConfig
from optical.data.tokens import SCHEMA
from optical.errors import DataError

BITEXT = "bitext"
TOKENS = "tokens"
_WHERE = [("dataset", pa.string()), ("position", pa.int64())]
_ACCEPTED = pa.schema([*_WHERE, ("source", pa.string()), ("target", pa.string())])
_REJECTED = pa.schema([*_WHERE, ("reason", pa.string())])
CHECKED = pa.schema([*_ACCEPTED, _REJECTED.field("reason")])
"""A checked physical pair: ``reason`` is null for an accepted one, else the sides are null."""
_ROWS_PER_SHARD = 100_000
_NO_TOKENS = "no_tokens"


class ShardWriter:
    """Appends tables to ``<stem>-00000.parquet``, ``<stem>-00001.parquet``, ... of at most 100,000 rows each."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema) -> None:
        self.folder, self.stem, self.schema = Path(folder), stem, schema
        self.rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._left = 0

    def write(self, table: pa.Table) -> None:
        """Append rows, starting new files as needed."""
        while len(table):
            if self._left == 0:
                self._open()
            head = table.slice(0, self._left)
            self._writer.write_table(head.cast(self.schema))
            self.rows += len(head)
            self._left -= len(head)
            table = table.slice(len(head))

    def close(self) -> None:
        """Finish the last file; an empty stream leaves one file without rows."""
        if self._writer is None:
            self._open()
        self._writer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> None:
        if self._writer is not None:
            self._writer.close()
        number = self.rows // _ROWS_PER_SHARD
        self._writer = pq.ParquetWriter(self.folder / f"{self.stem}-{number:05d}.parquet", self.schema)
        self._left = _ROWS_PER_SHARD


def write_bitext(path: Path, made_from: str, checked: Iterable[pa.Table], config: BitextConfig, facts: dict) -> None:
    """Split checked pairs into accepted and rejected shards, count both, and commit the artefact.

    The manifest's info holds ``facts`` and, per data set, ``accepted`` and ``rejected`` by reason: together they
    are the physical pairs. ``max_pairs`` stops the reading early.

    Raises:
        DataError: a data set has more rejects than ``max_reject_share``, or nothing was accepted.
    """
    info = dict(facts)
    accepted: Counter[str] = Counter()
    rejected: dict[str, Counter[str]] = {}
    with (
        artefacts.writing(path, BITEXT, made_from, info) as scratch,
        ShardWriter(scratch, "pairs", _ACCEPTED) as pairs,
        ShardWriter(scratch, "rejects", _REJECTED) as rejects,
    ):
        for table in checked:
            table = _cut(table, config.max_pairs, pairs.rows)
            good = table.filter(pc.is_null(table["reason"])).select(pairs.schema.names)
            bad = table.filter(pc.is_valid(table["reason"])).select(rejects.schema.names)
            pairs.write(good)
            rejects.write(bad)
            accepted.update(good["dataset"].to_pylist())
            for dataset, reason in zip(bad["dataset"].to_pylist(), bad["reason"].to_pylist(), strict=True):
                rejected.setdefault(dataset, Counter())[reason] += 1
            if pairs.rows == config.max_pairs:
                break
        pairs.close()
        rejects.close()
        _check_rejects(accepted, rejected, config)
        info |= {"accepted": dict(accepted), "rejected": {name: dict(counts) for name, counts in rejected.items()}}


def write_tokens(path: Path, made_from: str, tokenised: Iterable[pa.Table], num_pairs: int, dev_pairs: int) -> None:
    """Write token shards, holding out ``dev_pairs`` evenly spaced pairs, and commit the artefact.

    A pair of which one side has no token besides the special ones is dropped and counted in the info.

    Raises:
        DataError: fewer pairs than would leave anything to train on.
    """
    if num_pairs < 2 * dev_pairs:
        advice = "give more bitext or set bitext.dev_pairs lower"
        raise DataError(path, f"{num_pairs} pairs, of which {dev_pairs} would be held out", advice)
    held_out = set(np.linspace(0, num_pairs - 1, dev_pairs).astype(int).tolist())
    info = {"pairs": num_pairs}
    with (
        artefacts.writing(path, TOKENS, made_from, info) as scratch,
        ShardWriter(scratch, "train", SCHEMA) as train,
        ShardWriter(scratch, "dev", SCHEMA) as dev,
    ):
        seen = 0
        for table in tokenised:
            has_words = pc.and_(*(pc.greater(pc.list_value_length(table[name]), 2) for name in SCHEMA.names))
            is_dev = pa.array([seen + row in held_out for row in range(len(table))])
            train.write(table.filter(pc.and_(has_words, pc.invert(is_dev))))
            dev.write(table.filter(pc.and_(has_words, is_dev)))
            seen += len(table)
        train.close()
        dev.close()
        info |= {"train": train.rows, "dev": dev.rows, _NO_TOKENS: seen - train.rows - dev.rows}


def pair_shards(bitext: Path) -> list[str]:
    """Paths of a bitext artefact's accepted pairs, in order."""
    return [str(shard) for shard in sorted(Path(bitext).glob("pairs-*.parquet"))]


def _cut(table: pa.Table, max_pairs: int | None, have: int) -> pa.Table:
    """The table up to and including the last accepted row that ``max_pairs`` leaves room for."""
    good = np.flatnonzero(pc.is_null(table["reason"]).to_numpy(zero_copy_only=False))
    if max_pairs is None or have + len(good) <= max_pairs:
        return table
    return table.slice(0, int(good[max_pairs - have - 1]) + 1)


def _check_rejects(accepted: Counter[str], rejected: dict[str, Counter[str]], config: BitextConfig) -> None:
    for dataset, reasons in rejected.items():
        bad = reasons.total()
        physical = bad + accepted[dataset]
        if bad > config.max_reject_share * physical:
            table = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common())
            raise DataError(
                dataset,
                f"{bad} of {physical} pairs rejected ({table}), and at most {config.max_reject_share:.1%} may be",
                "clean the data, or raise bitext.max_reject_share",
            )
    if not accepted.total():
        raise DataError(", ".join(config.datasets), "no pair was accepted", "check the files and the languages")
