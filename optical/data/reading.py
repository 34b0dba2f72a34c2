"""What every reader of bitext is given, and how the two sides of a row are found by their names."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from optical.data.filters import Limits
from optical.data.languages import canonical
from optical.data.openers import TooLong, lines, open_bytes

_KNOWN_NAMES = (
    ("source", "target"),
    ("non_english", "english"),
    ("question", "translated_question"),
    ("question", "answer"),
    ("question_text", "paragraph_text"),
)
_NESTS = ("translation", "queries")


@dataclass(frozen=True)
class Reading:
    """What a reader needs to know: the files, the two languages, the limits.

    Args:
        paths: local paths or addresses, in the order the reader expects.
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the other side's language.
        limits: bounds on a pair.
    """

    paths: Sequence[str | Path]
    source: str
    target: str
    limits: Limits


def side_names(names: Iterable[str], reading: Reading) -> tuple[str, str] | None:
    """Which of the names of a row's fields are its source and its target: by known names, or by language code."""
    return _side_names(tuple(names), reading.source, reading.target)


@lru_cache(maxsize=256)
def _side_names(names: tuple[str, ...], source: str, target: str) -> tuple[str, str] | None:
    for pair in _KNOWN_NAMES:
        if all(name in names for name in pair):
            return pair
    by_code = {canonical(name): name for name in reversed(names)}
    found = by_code.get(canonical(source)), by_code.get(canonical(target))
    return None if None in found else found


def sides(row: object, reading: Reading) -> tuple[str | None, str | None]:
    """Source and target of a JSON row, also inside ``translation`` or ``queries``; ``None`` for what is not there."""
    if not isinstance(row, dict):
        return None, None
    row = next((row[nest] for nest in _NESTS if isinstance(row.get(nest), Mapping)), row)
    source, target = side_names(row, reading) or (reading.source, reading.target)
    return text_of(row, source), text_of(row, target)


def text_of(row: object, name: str) -> str | None:
    """A field of a JSON row when it is text."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) else None


def json_rows(path: str | Path, max_bytes: int) -> Iterator[tuple[object, str | None]]:
    """The lines of a JSON Lines file: each one's value, or the reason why it has none (a key of ``REASONS``)."""
    with open_bytes(path) as stream:
        for line in lines(stream, max_bytes):
            if isinstance(line, TooLong):
                yield None, "too_long"
                continue
            try:
                yield json.loads(line.decode("utf-8")), None
            except UnicodeError:
                yield None, "utf8"
            except (ValueError, RecursionError):
                yield None, "malformed"
