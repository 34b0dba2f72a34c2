"""What a reader of bitext is and what it is given, and the reading of JSON that several readers share."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from optical.data.bitext.columns import side_names
from optical.data.bitext.screen import Limits, Reject, SentencePair, screen
from optical.data.files.open import TooLong, lines, open_bytes
from optical.errors import DataError

MAX_DOCUMENT_BYTES = 1 << 28
"""Largest file that is one JSON document, which is parsed as a whole."""

Pairs = Iterator[SentencePair | Reject]
"""A ``SentencePair`` or a ``Reject`` for every physical pair, at positions 0, 1, 2, ..."""


def _ignore(_decision: str) -> None:
    pass


@dataclass(frozen=True)
class Reading:
    """The input of a reader: the files, the two languages, the limits.

    Args:
        paths: local paths or addresses, in the order the reader expects.
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the other side's language.
        limits: bounds on a pair.
        reader: name of the reader, for messages.
        columns: the columns or fields of source and target, where the source specification names them.
        tell: called with a sentence for each decision about the files, before the first pair.
    """

    paths: Sequence[str | Path]
    source: str
    target: str
    limits: Limits
    reader: str = ""
    columns: tuple[str, str] | None = None
    tell: Callable[[str], object] = _ignore

    def names(self, names: Iterable[str]) -> tuple[str, str] | None:
        """Which of the names of a record's fields are its source and its target; None when they do not say it."""
        return self.columns or side_names(tuple(names), self.source, self.target)


@dataclass(frozen=True)
class Format:
    """A format of bitext. Each file of ``readers`` defines one under the name ``FORMAT``.

    Args:
        read: gives the pairs of a ``Reading``.
        suffixes: endings of file names that this reader is chosen by, such as ``.tsv``.
        columns: whether a user may name the two columns or fields (``tsv:3,4:pairs.tsv``).
        labelled: whether each row names its languages; then the first row in the wanted ones may come late.
    """

    read: Callable[[Reading], Pairs]
    suffixes: tuple[str, ...] = ()
    columns: bool = False
    labelled: bool = False


def text_of(row: object, name: str) -> str | None:
    """A field of a JSON row when it is text."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) else None


def json_rows(path: str | Path, max_bytes: int) -> Iterator[tuple[Any, str | None]]:
    """The lines of a JSON Lines file: the value of each, or the reason why it has none (a key of ``REASONS``).

    Raises:
        DataError: the file is one JSON value over several lines.
    """
    with open_bytes(path) as stream:
        for number, line in enumerate(lines(stream, max_bytes)):
            if number == 0 and isinstance(line, bytes) and (line.strip() == b"{" or line.strip()[:1] == b"["):
                what = "holds one JSON array or object, not one object a line"
                raise DataError(path, what, "write a line for each row, as `jq -c '.[]'` does")
            if isinstance(line, TooLong):
                yield None, "too_long"
                continue
            try:
                yield json.loads(line.decode("utf-8")), None
            except UnicodeError:
                yield None, "utf8"
            except (ValueError, RecursionError):
                yield None, "malformed"


def document(path: str | Path) -> Any:
    """The value of a file that is one JSON document.

    Raises:
        DataError: it is not JSON, or too large to be parsed as a whole.
    """
    with open_bytes(path) as stream:
        content = stream.read(MAX_DOCUMENT_BYTES + 1)
    if len(content) > MAX_DOCUMENT_BYTES:
        raise DataError(path, f"one JSON document of over {MAX_DOCUMENT_BYTES} bytes", "write it as JSON lines")
    try:
        return json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        advice = "fetch the file again; if each line is a JSON object, say so, jsonl:PATH"
        raise DataError(path, f"not JSON as a whole ({error})", advice) from None


def questions(reading: Reading, pairs_of: Callable[[str | Path], Iterable[tuple[str, str]]]) -> Pairs:
    """The pairs of an English question answering set: the source is a question, the target the text that answers it.

    Args:
        reading: files and limits.
        pairs_of: gives the questions and answers of a file.

    Raises:
        DataError: a file has another structure than ``pairs_of`` expects.
    """
    position = 0
    for path in reading.paths:
        try:
            for question, answer in pairs_of(path):
                yield screen(position, question, answer, reading.limits)
                position += 1
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(path, f"not in the expected format ({error!r})", "fetch the file again") from None
