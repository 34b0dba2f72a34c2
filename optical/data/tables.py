"""Tables of pairs: TSV, CSV and parquet. A header names the columns, else the first two are source and target."""

import csv
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.filters import Limits, Reject, SentencePair, screen
from optical.data.openers import BOM, TooLong, lines, open_bytes, open_seekable
from optical.data.reading import Reading, side_names
from optical.errors import DataError

_ROWS = 4096
_MAX_CHUNK_BYTES = 1 << 30

Row = list[bytes] | TooLong | str
"""A record's fields; or that it was too long; or the reason why it has no fields."""


def read_table(
    reading: Reading, rows: Callable[[BinaryIO, str | Path, int], Iterator[Row]], unnamed: tuple[int, int] = (0, 1)
) -> Iterator[SentencePair | Reject]:
    """The pairs of files in rows and columns.

    Args:
        reading: files, languages and limits.
        rows: gives the records of a stream.
        unnamed: places of source and target when the first record is no header.
    """
    position = 0
    for path in reading.paths:
        with open_bytes(path) as stream:
            places, width = unnamed, None
            for number, row in enumerate(rows(stream, path, reading.limits.max_bytes)):
                if number == 0 and (named := _header(row, reading)):
                    places, width = named, len(row)
                    continue
                yield _pair(position, row, places, width, reading.limits)
                position += 1


def tsv_rows(stream: BinaryIO, _where: str | Path, max_bytes: int) -> Iterator[Row]:
    """Records of tab-separated values: a line each, in which quotes are text like any other."""
    for line in lines(stream, max_bytes):
        yield line if isinstance(line, TooLong) else line.split(b"\t")


def csv_rows(stream: BinaryIO, where: str | Path, max_bytes: int) -> Iterator[Row]:
    """Records of comma-separated values (RFC 4180): a quoted field may hold commas, newlines and doubled quotes.

    Raises:
        DataError: a quote is open where the file ends, so that nobody knows which fields it swallowed.
    """
    for record in _csv_records(stream, where, max_bytes):
        if isinstance(record, TooLong):
            yield record
            continue
        try:
            fields = next(csv.reader([record.decode("utf-8")], strict=True), [])
        except UnicodeError:
            yield "utf8"
        except csv.Error:
            yield "malformed"
        else:
            yield [field.encode("utf-8") for field in fields]


def parquet(reading: Reading) -> Iterator[SentencePair | Reject]:
    """The pairs of parquet files: two columns by name, or two fields of a ``translation`` column."""
    position = 0
    for path in reading.paths:
        for source, target in _parquet_sides(path, reading):
            yield screen(position, source, target, reading.limits)
            position += 1


def _csv_records(stream: BinaryIO, where: str | Path, max_bytes: int) -> Iterator[bytes | TooLong]:
    """Lines, joined while a quote is open; of a record over the bound only its length is kept."""
    parts: list[bytes] = []
    length = quotes = line = opened = 0
    while chunk := stream.readline(max_bytes + 2):
        opened = opened if parts or length else line + 1
        length += len(chunk)
        quotes += chunk.count(b'"')
        line += chunk.endswith(b"\n")
        if length <= max_bytes + 2:
            parts.append(chunk)
        if quotes % 2 == 0 and chunk.endswith(b"\n"):
            yield _record(parts, length, max_bytes)
            parts, length, quotes = [], 0, 0
    if quotes % 2:
        raise DataError(f"{where}, line {opened}", "a quote is opened and never closed", "repair that record")
    if length:
        yield _record(parts, length, max_bytes)


def _record(parts: list[bytes], length: int, max_bytes: int) -> bytes | TooLong:
    record = b"".join(parts).removeprefix(BOM).removesuffix(b"\n").removesuffix(b"\r")
    return TooLong(length) if length > max_bytes + 2 or len(record) > max_bytes else record


def _header(row: Row, reading: Reading) -> tuple[int, int] | None:
    """Places of source and target when the record names columns; ``None`` when it is a pair like the others."""
    if not isinstance(row, list):
        return None
    cells = [cell.decode("utf-8", "replace").strip().lower() for cell in row]
    names = side_names(cells, reading)
    return names and (cells.index(names[0]), cells.index(names[1]))


def _pair(position: int, row: Row, places: tuple[int, int], width: int | None, limits: Limits) -> SentencePair | Reject:
    """One record's pair; under a header, a record of another width has fields in the wrong places and is refused."""
    if isinstance(row, TooLong):
        return Reject(position, "too_long")
    if isinstance(row, str):
        return Reject(position, row)
    if width is not None and len(row) != width:
        return Reject(position, "malformed")
    source, target = (row[place] if place < len(row) else None for place in places)
    return screen(position, source, target, limits)


def _parquet_sides(path: str | Path, reading: Reading) -> Iterator[tuple[bytes | None, bytes | None]]:
    with open_seekable(path) as stream:
        try:
            file = pq.ParquetFile(stream)
            columns, sides_of = _parquet_columns(path, file, reading)
            for batch in file.iter_batches(_ROWS, columns=columns):
                sides = (side.cast(pa.large_binary()).to_pylist() for side in sides_of(batch))
                yield from zip(*sides, strict=True)
        except (pa.ArrowException, OSError) as error:
            raise DataError(path, f"damaged parquet ({error})", "fetch or rebuild the file") from error


def _parquet_columns(
    path: str | Path, file: pq.ParquetFile, reading: Reading
) -> tuple[list[str], Callable[[pa.RecordBatch], list[pa.Array]]]:
    """The columns to read, and what takes the two sides out of a batch of them."""
    schema = file.schema_arrow
    nested = "translation" in schema.names and pa.types.is_struct(schema.field("translation").type)
    fields = schema.field("translation").type if nested else schema
    names = side_names([field.name for field in fields], reading)
    if names is None or not all(_is_text(fields.field(name).type) for name in names):
        what = f"no text columns for {reading.source} and {reading.target} among {', '.join(schema.names)[:200]}"
        raise DataError(path, what, "name the columns source and target, or by their languages")
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
tsv_english_first = partial(read_table, rows=tsv_rows, unnamed=(1, 0))
comma_separated = partial(read_table, rows=csv_rows)
