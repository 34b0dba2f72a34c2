"""Natural Questions with oracle contexts, in JSON Lines: the first context is the gold passage."""

from collections.abc import Iterator
from pathlib import Path

from optical.data.bitext.reading import MAX_DOCUMENT_BYTES, Format, Pairs, Reading, json_rows, questions
from optical.errors import DataError


def read(reading: Reading) -> Pairs:
    """A pair of question and gold passage for each line."""
    return questions(reading, _gold)


def _gold(path: str | Path) -> Iterator[tuple[str, str]]:
    for row, reason in json_rows(path, MAX_DOCUMENT_BYTES):
        if reason:
            raise DataError(path, f"a line is {reason}", "fetch the file again")
        yield row["question"], row["ctxs"][0]["text"]


FORMAT = Format(read)
