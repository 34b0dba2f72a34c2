"""MKQA: questions in JSON Lines, joined by id; an id ends in its language behind an underscore."""

from pathlib import Path

from optical.data.bitext.joining import MAX_LINE_BYTES, Keyed, joined
from optical.data.bitext.reading import Format, Pairs, Reading, json_rows, text_of
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """The pairs of questions with one id."""
    return joined(reading, _numbered)


def _numbered(path: str | Path) -> Keyed:
    for row, _ in json_rows(path, MAX_LINE_BYTES):
        number, question = text_of(row, "id"), text_of(row, "question")
        if number is None or question is None:
            raise DataError(path, "a row without id and question", "fetch the file again")
        yield number.partition("_")[0], question


FORMAT = Format(read)
