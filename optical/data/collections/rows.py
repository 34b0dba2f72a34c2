"""Rows of a collection's files by the role of their fields: a header or JSON keys name them, else their order does."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from optical.data.collections.records import MAX_LINE_BYTES, placed_objects
from optical.data.files.inflate import format_suffix
from optical.data.files.open import text_lines
from optical.errors import DataError

Finder = Callable[[tuple[str, ...]], Mapping[str, int]]
"""Gives the place of each role among names in lower case; ``id`` and ``text`` are roles every row must have."""

Row = tuple[str, dict[str, object]]
"""A row's place for messages, and its values by role."""

JSON_LINES = (".jsonl", ".ndjson", ".json")


def by_names(names: tuple[str, ...], known: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The place of each role's best known name."""
    best = {role: next((name for name in known[role] if name in names), None) for role in known}
    return {role: names.index(name) for role, name in best.items() if name is not None}


def rows(path: Path, find: Finder, unnamed: Sequence[str]) -> Iterator[Row]:
    """The rows of a JSON Lines file, or of tab-separated values.

    Args:
        path: the file.
        find: tells roles by name.
        unnamed: roles of the columns of a table without header, where the last may be missing beyond the first two.

    Raises:
        DataError: a row without the roles it must have, or a first row that may be a header and may not.
    """
    if format_suffix(path.name) in JSON_LINES:
        for where, row in placed_objects(path):
            yield where, pick(where, row, find)
    else:
        yield from _table(path, find, unnamed)


def pick(where: str, row: Mapping[str, object], find: Finder) -> dict[str, object]:
    """The values of a JSON object by role.

    Raises:
        DataError: it has no key for a role every row must have.
    """
    values = list(row.values())
    found = {role: values[place] for role, place in find(tuple(key.lower() for key in row)).items()}
    if absent := {"id", "text"} - found.keys():
        what = f"its keys {', '.join(row) or 'none'} name no {' and no '.join(sorted(absent))}"
        raise DataError(where, what, "name them id and text")
    return found


def _table(path: Path, find: Finder, unnamed: Sequence[str]) -> Iterator[Row]:
    first, head, digits = None, None, []
    for where, cells in _cells(path):
        if first is None:
            first, places = where, _header(where, cells, find, unnamed)
            if places:
                head = cells
                continue
        if cells == head:
            raise DataError(where, f"the header {cells!r} once more", "remove it where files were put together")
        roles = places or {role: place for place, role in enumerate(unnamed[: len(cells)])}
        fewest, most = (len(head), len(head)) if head else (2, len(unnamed))
        if not fewest <= len(cells) <= most:
            expected = str(most) if fewest == most else f"{fewest} to {most}"
            what = f"{len(cells)} columns {cells[: most + 1]!r}, expected {expected}"
            raise DataError(where, what, "separate columns by single tabs, and name others than these in a header")
        digits.append(any(character.isdigit() for character in cells[roles["id"]]))
        yield where, {role: cells[place] for role, place in roles.items()}
    # A header of unknown names: the ids below it have digits, and its own has none.
    if not head and len(digits) > 2 and not digits[0] and all(digits[1:]):
        what = "the first id has no digit and all others have, so this may be a header of unknown names"
        raise DataError(first, what, f"name the columns {', '.join(unnamed)} in it, or put such a line above it")


def _header(where: str, cells: Sequence[str], find: Finder, unnamed: Sequence[str]) -> Mapping[str, int] | None:
    """The roles a first row names; None when it is a row like others."""
    names = tuple(cell.lower() for cell in cells)
    found = find(names)
    repeated = ", ".join(sorted({name for name in names if name and names.count(name) > 1}))
    if found and repeated:
        what = f"a header {cells!r} that has {repeated} more than once"
        raise DataError(where, what, "give each column its own name")
    if found and not {"id", "text"} <= found.keys():
        absent = " and no ".join(sorted({"id", "text"} - found.keys()))
        advice = f"name the columns {', '.join(unnamed)} in the first line; FOLDER@swa chooses among languages"
        raise DataError(where, f"a header {cells!r} that names no {absent}", advice)
    return found or None


def _cells(path: Path) -> Iterator[tuple[str, list[str]]]:
    for number, line in text_lines(path, MAX_LINE_BYTES):
        where = f"{path}, line {number}"
        if "\r" in line or "\0" in line:
            what = "a carriage return or NUL inside the line"
            raise DataError(where, what, "convert the file to UTF-8 with Unix line ends")
        if line.strip():
            yield where, [cell.strip() for cell in line.split("\t")]
