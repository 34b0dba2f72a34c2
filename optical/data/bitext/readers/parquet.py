"""Parquet: two columns by name, or two fields of a ``translation`` column."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.screen import screen
from optical.data.files.open import open_seekable
from optical.errors import DataError

_ROWS_AT_ONCE = 4096
_MAX_CHUNK_BYTES = 1 << 30


def read(reading: Reading, max_chunk_bytes: int = _MAX_CHUNK_BYTES) -> Pairs:
    """The pairs of the rows.

    Args:
        reading: files, languages and limits.
        max_chunk_bytes: largest column chunk of a row group. A chunk is decompressed as a whole, so its size bounds
            the memory that reading takes.

    Raises:
        DataError: a damaged file, no text columns for the two sides, or a larger chunk.
    """
    position = 0
    for path in reading.paths:
        for source, target in _sides(path, reading, max_chunk_bytes):
            yield screen(position, source, target, reading.limits)
            position += 1


def _sides(path: str | Path, reading: Reading, max_chunk_bytes: int) -> Iterator[tuple[bytes | None, bytes | None]]:
    with open_seekable(path) as stream:
        try:
            file = pq.ParquetFile(stream)
            columns, sides_of = _columns(path, file, reading)
            _refuse_large_chunks(path, file, columns, max_chunk_bytes)
            left = file.metadata.num_rows
            for batch in file.iter_batches(_ROWS_AT_ONCE, columns=columns):
                sides = (side.cast(pa.large_binary()).to_pylist() for side in sides_of(batch))
                yield from zip(*sides, strict=True)
                left -= len(batch)
            if left:
                raise DataError(path, f"{left} of {file.metadata.num_rows} rows were not read", "rebuild the file")
        except (pa.ArrowException, OSError) as error:
            raise DataError(path, f"damaged parquet ({error})", "fetch or rebuild the file") from error


def _columns(
    path: str | Path, file: pq.ParquetFile, reading: Reading
) -> tuple[list[str], Callable[[pa.RecordBatch], list[pa.Array]]]:
    """The columns to read, and the function that takes the two sides out of a batch of them."""
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
    if nested:
        return columns, lambda batch: [pc.struct_field(batch.column("translation"), name) for name in names]
    return columns, lambda batch: [batch.column(name) for name in names]


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _refuse_large_chunks(path: str | Path, file: pq.ParquetFile, columns: list[str], most: int) -> None:
    for group in range(file.metadata.num_row_groups):
        chunks = [file.metadata.row_group(group).column(number) for number in range(file.metadata.num_columns)]
        for chunk in chunks:
            if chunk.path_in_schema.split(".")[0] in columns and chunk.total_uncompressed_size > most:
                what = f"row group {group} holds {chunk.total_uncompressed_size} bytes of {chunk.path_in_schema}"
                raise DataError(path, f"{what}, over {most}", "write it with smaller row groups")


FORMAT = Format(read, suffixes=(".parquet",), columns=True)
