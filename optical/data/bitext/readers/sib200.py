"""SIB-200: tables of ``index_id``, ``category`` and ``text`` under a header, joined by index."""

from pathlib import Path

from optical.data.bitext.joining import Keyed, joined, texts
from optical.data.bitext.reading import Format, Pairs, Reading
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """The pairs of texts with one index."""
    return joined(reading, _indexed)


def _indexed(path: str | Path) -> Keyed:
    for number, line in enumerate(texts(path)):
        columns = line.split("\t")
        if len(columns) != 3 or (number == 0) != (columns[0] == "index_id"):
            raise DataError(f"{path}, line {number + 1}", "not index_id, category, text", "fetch the file again")
        if number:
            yield columns[0], columns[2]


FORMAT = Format(read)
