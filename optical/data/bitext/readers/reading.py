"""What every reader of bitext is given, and how the two sides of a row are found by their names."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.data.bitext.readers.columns import side_names
from optical.data.bitext.screen import Limits
from optical.data.files.open import TooLong, lines, open_bytes
from optical.errors import DataError

_NESTS = ("translation", "queries")


def _untold(_decided: str) -> None:
    pass


@dataclass(frozen=True)
class Reading:
    """What a reader needs to know: the files, the two languages, the limits.

    Args:
        paths: local paths or addresses, in the order the reader expects.
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the other side's language.
        limits: bounds on a pair.
        reader: name of the reader, for messages.
        columns: the two columns or fields that are the sides, where the source specification says them.
        tell: is given a sentence for each thing that was decided about the files.
    """

    paths: Sequence[str | Path]
    source: str
    target: str
    limits: Limits
    reader: str = ""
    columns: tuple[str, str] | None = None
    tell: Callable[[str], object] = _untold

    def names(self, names: Iterable[str]) -> tuple[str, str] | None:
        """Which of the names of a record's fields are its source and its target; None when nothing says it."""
        return self.columns or side_names(tuple(names), self.source, self.target)


def sides(row: object, reading: Reading) -> tuple[str | None, str | None]:
    """Source and target of a JSON row, also inside ``translation`` or ``queries``; ``None`` for what is not there."""
    if not isinstance(row, dict):
        return None, None
    row = _inner(row)
    source, target = reading.names(row) or (reading.source, reading.target)
    return text_of(row, source), text_of(row, target)


def tell_fields(rows: Iterable[object], reading: Reading, where: str | Path) -> None:
    """Tell which fields of JSON rows are the sides.

    Raises:
        DataError: no row names both.
    """
    objects = [_inner(row) for row in rows if isinstance(row, dict)]
    for row in objects:
        names = reading.names(row) or (reading.source, reading.target)
        if all(name in row for name in names):
            reading.tell(f"source {reading.source} in field {names[0]}, target {reading.target} in field {names[1]}")
            return
    if objects:
        what = f"no fields for {reading.source} and {reading.target} among {', '.join(objects[0])[:200]}"
        raise DataError(where, what, f"say the fields, source first: jsonl:NAME,NAME:{where}")


def _inner(row: Mapping) -> Mapping:
    """The row, or what is inside its ``translation`` or ``queries``."""
    return next((row[nest] for nest in _NESTS if isinstance(row.get(nest), Mapping)), row)


def text_of(row: object, name: str) -> str | None:
    """A field of a JSON row when it is text."""
    value = row.get(name) if isinstance(row, dict) else None
    return value if isinstance(value, str) else None


def json_rows(path: str | Path, max_bytes: int) -> Iterator[tuple[object, str | None]]:
    """The lines of a JSON Lines file: each one's value, or the reason why it has none (a key of ``REASONS``).

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
