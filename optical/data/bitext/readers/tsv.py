"""Tab-separated values: a record a line. Quotes are text, unless the whole table is written with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.table import Row, read_table
from optical.data.files.open import TooLong, lines


def read(reading: Reading) -> Pairs:
    """The pairs of two columns (see ``read_table``)."""
    return read_table(reading, records, tabs=True)


def records(stream: BinaryIO, _where: str | Path, max_bytes: int) -> Iterator[Row]:
    """The fields of each line."""
    for line in lines(stream, max_bytes):
        yield line if isinstance(line, TooLong) else line.split(b"\t")


FORMAT = Format(read, suffixes=(".tsv",), columns=True)
