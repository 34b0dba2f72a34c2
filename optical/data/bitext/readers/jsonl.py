"""JSON Lines: an object a line, with the two sides in fields, also inside ``translation`` or ``queries``."""

from collections.abc import Iterable, Mapping
from itertools import chain, islice
from pathlib import Path

from optical.data.bitext.reading import Format, Pairs, Reading, json_rows, text_of
from optical.data.bitext.screen import Reject, screen
from optical.data.bitext.table import SAMPLE
from optical.errors import DataError

_NESTS = ("translation", "queries")


def read(reading: Reading) -> Pairs:
    """The pairs of the lines.

    Raises:
        DataError: none of the first rows of a file names both sides.
    """
    position = 0
    for path in reading.paths:
        rows = json_rows(path, reading.limits.max_bytes)
        head = list(islice(rows, SAMPLE))
        _tell_fields((row for row, _ in head), reading, path)
        for row, reason in chain(head, rows):
            yield Reject(position, reason) if reason else screen(position, *_sides(row, reading), reading.limits)
            position += 1


def _sides(row: object, reading: Reading) -> tuple[str | None, str | None]:
    """Source and target of a row; ``None`` for a missing one."""
    if not isinstance(row, dict):
        return None, None
    row = _inner(row)
    source, target = reading.names(row) or (reading.source, reading.target)
    return text_of(row, source), text_of(row, target)


def _tell_fields(rows: Iterable[object], reading: Reading, where: str | Path) -> None:
    """Tell which fields are the sides, or refuse a file without a row that names both."""
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
    """The row, or the object inside its ``translation`` or ``queries``."""
    return next((row[nest] for nest in _NESTS if isinstance(row.get(nest), Mapping)), row)


FORMAT = Format(read, suffixes=(".jsonl", ".ndjson"), columns=True)
