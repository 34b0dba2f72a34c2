"""Clean shards: a stream of checked pairs, written as parquet files with counts.

The stream is of Arrow tables in order (Ray Data makes it); this file holds at most one of them in memory.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.bitext.config import BitextConfig
from optical.data.cleaning.tally import Tally

BITEXT = "bitext"
_WHERE = [("dataset", pa.string()), ("position", pa.int64())]
_ACCEPTED = pa.schema([*_WHERE, ("source", pa.string()), ("target", pa.string())])
_REJECTED = pa.schema([*_WHERE, ("reason", pa.string()), ("detail", pa.string())])
CHECKED = pa.schema([*_ACCEPTED, _REJECTED.field("reason"), _REJECTED.field("detail"), ("repairs", pa.string())])
"""A checked physical pair. ``reason`` is null for an accepted one; the sides of a rejected one are for examples only,
and may be cut or null. ``detail`` names the collection of a contaminated one, ``repairs`` the repairs of a pair."""
CLEANING = "cleaning.json"
ROWS_PER_SHARD = 100_000


class ShardWriter:
    """Appends tables to ``<stem>-00000.parquet``, ``<stem>-00001.parquet``, ... of ``rows_per_shard`` rows at most."""

    def __init__(self, folder: Path, stem: str, schema: pa.Schema, rows_per_shard: int = ROWS_PER_SHARD) -> None:
        self.folder, self.stem, self.schema, self.rows_per_shard = Path(folder), stem, schema, rows_per_shard
        self.rows = 0
        self._writer: pq.ParquetWriter | None = None
        self._left = 0

    def write(self, table: pa.Table) -> None:
        """Append rows, starting new files as needed."""
        while len(table):
            if self._writer is None or self._left == 0:
                self._writer = self._open()
            head = table.slice(0, self._left)
            self._writer.write_table(head.cast(self.schema))
            self.rows += len(head)
            self._left -= len(head)
            table = table.slice(len(head))

    def close(self) -> None:
        """Finish the last file; an empty stream leaves one file without rows."""
        (self._writer or self._open()).close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> pq.ParquetWriter:
        if self._writer is not None:
            self._writer.close()
        number = self.rows // self.rows_per_shard
        self._left = self.rows_per_shard
        return pq.ParquetWriter(self.folder / f"{self.stem}-{number:05d}.parquet", self.schema)


def write_bitext(path: Path, made_from: str, checked: Iterable[pa.Table], config: BitextConfig, facts: dict) -> None:
    """Split checked pairs into accepted and rejected shards, count both, and commit the artefact.

    The manifest's info holds ``facts`` and, per data set, ``accepted`` and ``rejected`` by reason: together they
    are the physical pairs; and, where there were any, ``repaired`` by kind of repair and ``leaks`` by test collection.
    ``cleaning.json`` holds the same with examples.

    Raises:
        DataError: a data set has a larger share of faulty pairs than ``max_reject_share``, or none that is accepted.
    """
    info = dict(facts)
    tally = Tally()
    with (
        artefacts.writing(path, BITEXT, made_from, info) as scratch,
        ShardWriter(scratch, "pairs", _ACCEPTED) as pairs,
        ShardWriter(scratch, "rejects", _REJECTED) as rejects,
    ):
        for table in checked:
            good = table.filter(pc.is_null(table["reason"]))
            bad = table.filter(pc.is_valid(table["reason"]))
            tally.add(good, bad)
            pairs.write(good.select(pairs.schema.names))
            rejects.write(bad.select(rejects.schema.names))
        pairs.close()
        rejects.close()
        tally.check(config.max_reject_share)
        tally.check_each(config.datasets)
        info |= tally.counts()
        artefacts.write_json(scratch / CLEANING, info | {"examples": tally.examples})


def pair_shards(bitext: Path) -> list[str]:
    """Paths of a bitext artefact's accepted pairs, in order."""
    return [str(shard) for shard in sorted(Path(bitext).glob("pairs-*.parquet"))]


def pair_counts(bitext: Path) -> list[int]:
    """Accepted pairs of each data set, in the order of the shards."""
    counts: Counter[str] = Counter()
    for shard in pair_shards(bitext):
        for row in pc.value_counts(pq.read_table(shard, columns=["dataset"])["dataset"]).to_pylist():
            counts[row["values"]] += row["counts"]
    return list(counts.values())


def first_accepted(tables: Iterable[pa.Table], count: int) -> Iterator[pa.Table]:
    """The tables up to and including the ``count``-th accepted row; nothing is read beyond the table that has it."""
    have = 0
    for table in tables:
        good = np.flatnonzero(pc.is_null(table["reason"]).to_numpy(zero_copy_only=False))
        if have + len(good) >= count:
            yield table.slice(0, int(good[count - have - 1]) + 1)
            return
        have += len(good)
        yield table
