"""Tables of pairs: TSV, CSV and parquet."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.bitext.readers.delimited import Row, Spanning, csv_rows, tsv_rows, undouble
from optical.data.bitext.readers.layout import SAMPLE, Layout, decide
from optical.data.bitext.readers.reading import Reading
from optical.data.bitext.screen import Limits, Reject, SentencePair, screen
from optical.data.files.open import TooLong, open_bytes, open_seekable
from optical.errors import DataError

_ROWS = 4096
_MAX_CHUNK_BYTES = 1 << 30


def read_table(
    reading: Reading,
    rows: Callable[[BinaryIO, str | Path, int], Iterator[Row]],
    english_first: bool = False,
) -> Iterator[SentencePair | Reject]:
    """The pairs of files in rows and columns.

    Args:
        reading: files, languages and limits.
        rows: gives the records of a stream.
        english_first: without a header, the first of the two columns with text is the target.

    Raises:
        DataError: nobody can know which columns are the sides (see ``layout``), or a quote swallowed records.
    """
    position = 0
    for path in reading.paths:
        with open_bytes(path) as stream:
            records = rows(stream, path, reading.limits.max_bytes)
            head = list(islice(records, SAMPLE))
            layout = decide(head, reading, path, english_first, tabs=rows is tsv_rows)
            for row in islice(chain(head, records), layout.header, None):
                yield _pair(position, row, layout, reading.limits, path)
                position += 1


def parquet(reading: Reading) -> Iterator[SentencePair | Reject]:
    """The pairs of parquet files: two columns by name, or two fields of a ``translation`` column."""
    position = 0
    for path in reading.paths:
        for source, target in _parquet_sides(path, reading):
            yield screen(position, source, target, reading.limits)
            position += 1


def _pair(position: int, row: Row, layout: Layout, limits: Limits, path: str | Path) -> SentencePair | Reject:
    """One record's pair; a record of another width has fields in the wrong places and is refused."""
    if isinstance(row, TooLong):
        return Reject(position, "too_long")
    if isinstance(row, str):
        return Reject(position, row)
    if _is_misfit(row, layout):
        if isinstance(row, Spanning):
            where = f"{path}, lines {row.first} and {row.last}"
            what = f"a quote opened on the first closes on the second, and makes of them one record of {len(row)}"
            raise DataError(where, f"{what} fields, not {layout.width}", "repair the first of the two lines")
        return Reject(position, "malformed" if layout.header or len(row) > 1 else "missing")
    source, target = row[layout.source], row[layout.target]
    if layout.quoted:
        source, target = undouble(source), undouble(target)
    return screen(position, source, target, limits)


def _is_misfit(row: list[bytes], layout: Layout) -> bool:
    """Whether a record's fields may be in other places than the layout's.

    Empty fields behind the last do no harm where a side is last; else a stray delimiter may have pushed them there.
    """
    if len(row) == layout.width:
        return False
    return any(row[layout.width :] or [True]) or max(layout.source, layout.target) < layout.width - 1


def _parquet_sides(path: str | Path, reading: Reading) -> Iterator[tuple[bytes | None, bytes | None]]:
    with open_seekable(path) as stream:
        try:
            file = pq.ParquetFile(stream)
            columns, sides_of = _parquet_columns(path, file, reading)
            left = file.metadata.num_rows
            for batch in file.iter_batches(_ROWS, columns=columns):
                sides = (side.cast(pa.large_binary()).to_pylist() for side in sides_of(batch))
                yield from zip(*sides, strict=True)
                left -= len(batch)
            if left:
                raise DataError(path, f"{left} of {file.metadata.num_rows} rows were not read", "rebuild the file")
        except (pa.ArrowException, OSError) as error:
            raise DataError(path, f"damaged parquet ({error})", "fetch or rebuild the file") from error


def _parquet_columns(
    path: str | Path, file: pq.ParquetFile, reading: Reading
) -> tuple[list[str], Callable[[pa.RecordBatch], list[pa.Array]]]:
    """The columns to read, and what takes the two sides out of a batch of them."""
    schema = file.schema_arrow
    nested = "translation" in schema.names and pa.types.is_struct(schema.field("translation").type)
    fields = schema.field("translation").type if nested else schema
    held = {field.name: field.type for field in fields}
    names = reading.names(held)
    if names is None or not all(name in held and _is_text(held[name]) for name in names):
        shown = ", ".join(f"{name} ({kind})" for name, kind in held.items())[:300]
        what = f"no text columns for {reading.source} and {reading.target} among {shown}"
        raise DataError(path, what, f"say the columns, source first: parquet:NAME,NAME:{path}")
    reading.tell(f"source {reading.source} in column {names[0]}, target {reading.target} in column {names[1]}")
    columns = ["translation"] if nested else list(names)
    _refuse_giants(path, file, columns)
    if nested:
        return columns, lambda batch: [pc.struct_field(batch.column("translation"), name) for name in names]
    return columns, lambda batch: [batch.column(name) for name in names]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _refuse_giants(path: str | Path, file: pq.ParquetFile, columns: list[str]) -> None:
    """A column chunk is decompressed as a whole, so its size bounds the memory that reading takes."""
    for group in range(file.metadata.num_row_groups):
        chunks = [file.metadata.row_group(group).column(number) for number in range(file.metadata.num_columns)]
        for chunk in chunks:
            if chunk.path_in_schema.split(".")[0] in columns and chunk.total_uncompressed_size > _MAX_CHUNK_BYTES:
                what = f"row group {group} holds {chunk.total_uncompressed_size} bytes of {chunk.path_in_schema}"
                raise DataError(path, f"{what}, over {_MAX_CHUNK_BYTES}", "write it with smaller row groups")


tsv = partial(read_table, rows=tsv_rows)
tsv_english_first = partial(read_table, rows=tsv_rows, english_first=True)
comma_separated = partial(read_table, rows=csv_rows)
