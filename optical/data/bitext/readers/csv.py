"""Comma-separated values (RFC 4180), with their quotes."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO

from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.table import CLOSED_QUOTE, Row, Spanning, read_table
from optical.data.files.open import BOM, TooLong
from optical.errors import DataError

_SAMPLE = 200
_DELIMITERS = (b",", b";", b"\t")
_MOST_LINES = 100
_MOST_ALIKE = 10
_REPAIR = "a quote inside a field is written twice, and the field in quotes; repair the first of the two lines"


@dataclass(frozen=True, slots=True)
class _Overlong:
    """A physical line over the bound: its length, and how many quotes it has."""

    bytes: int
    quotes: int


_Line = bytes | _Overlong


def read(reading: Reading) -> Pairs:
    """The pairs of two columns (see ``read_table``)."""
    return read_table(reading, records, tabs=False)


def records(stream: BinaryIO, where: str | Path, max_bytes: int) -> Iterator[Row]:
    """The fields of each record; semicolons or tabs are taken for the delimiter where they divide the lines evenly.

    A quote opens a field only at the field's start; such a field may hold delimiters, newlines and doubled quotes.
    Anywhere else a quote is text, as the inch mark is.

    Raises:
        DataError: a quoted field goes over too many lines, so that its records cannot be told apart.
    """
    physical = _physical(stream, max_bytes)
    head = list(islice(physical, _SAMPLE))
    delimiter = max(_DELIMITERS, key=lambda mark: _evenness(head, mark, max_bytes))
    yield from _records(chain(head, physical), where, max_bytes, delimiter)


def _evenness(head: list[_Line], delimiter: bytes, max_bytes: int) -> float:
    """How evenly a delimiter divides the first records: the share of them with the commonest number of fields.

    A mark before a space is more likely part of the text.
    """
    widths: Counter[int] = Counter()
    try:
        for row in _records(iter(head), "", max_bytes, delimiter):
            widths[len(row) if isinstance(row, list) else 1] += 1
    except DataError:
        pass  # the sample ends inside a field, or the delimiter is the wrong one
    most = max((count for width, count in widths.items() if width > 1), default=0) / max(widths.total(), 1)
    text = b"\n".join(line for line in head if isinstance(line, bytes))
    return most * (1 - text.count(delimiter + b" ") / max(2 * text.count(delimiter), 1))


def _physical(stream: BinaryIO, max_bytes: int) -> Iterator[_Line]:
    r"""Lines split on ``\n`` only, without it; of a line over the bound only its length and its number of quotes."""
    first = True
    while line := stream.readline(max_bytes + 2):
        if first:
            line, first = line.removeprefix(BOM), False
        if len(line) > max_bytes and not line.endswith(b"\n"):
            length, quotes = len(line), line.count(b'"')
            while not line.endswith(b"\n") and (line := stream.readline(max_bytes + 2)):
                length += len(line)
                quotes += line.count(b'"')
            yield _Overlong(length, quotes)
        else:
            line = line.removesuffix(b"\n")
            yield line if len(line) <= max_bytes + 1 else _Overlong(len(line), line.count(b'"'))


def _records(physical: Iterable[_Line], where: str | Path, max_bytes: int, delimiter: bytes) -> Iterator[Row]:
    numbered = enumerate(physical, start=1)
    width = 0
    for number, line in numbered:
        if isinstance(line, _Overlong) or b'"' in line:
            yield _Quoted(where, max_bytes, delimiter, width).record(number, line, numbered)
            continue
        line = line.removesuffix(b"\r")
        if len(line) > max_bytes:
            yield TooLong(len(line))
            continue
        row = line.split(delimiter)
        width = len(row)
        yield row


class _Quoted:
    """Reads one record that has quotes, over as many physical lines as its quoted fields go."""

    def __init__(self, where: str | Path, max_bytes: int, delimiter: bytes, width: int) -> None:
        self._where, self._max_bytes, self._delimiter, self._width = where, max_bytes, delimiter, width
        self._fields: list[bytes] = []
        self._open: list[bytes] = []  # of the quoted field that is open, what the lines so far gave it
        self._bytes = self._alike = 0

    def record(self, first: int, line: _Line, following: Iterator[tuple[int, _Line]]) -> Row:
        """The record that begins with a line; further lines are taken while a quote is open."""
        last, is_open = first, self._take(line, False)
        while is_open:
            if (numbered := next(following, None)) is None:
                what = f"a quote is opened and never closed (the file ends at line {last})"
                raise DataError(f"{self._where}, line {first}", what, _REPAIR)
            last, line = numbered
            is_open = self._take(line, True)
            self._alike += bool(is_open) and isinstance(line, bytes) and line.count(self._delimiter) + 1 == self._width
            if last - first >= _MOST_LINES or self._alike >= _MOST_ALIKE:
                raise self._too_far(first, last, "is still open at")
        if is_open is None and last > first:
            raise self._too_far(first, last, "meets a quote with text right behind it at")
        if self._bytes > self._max_bytes:
            return TooLong(self._bytes)
        if is_open is None:
            return "malformed"
        if last == first:
            return self._fields
        spanning = Spanning(self._fields)
        spanning.first, spanning.last = first, last
        return spanning

    def _take(self, line: _Line, is_open: bool) -> bool | None:
        """Add a line; whether a quoted field is open at its end, or None when text follows a closing quote."""
        if isinstance(line, _Overlong):
            self._bytes += line.bytes
            return is_open != (line.quotes % 2 == 1)
        line = line.removesuffix(b"\r")
        self._bytes += len(line) + is_open
        if self._bytes > self._max_bytes:
            self._open, self._fields = [], []
        at = 0
        while True:
            if not is_open and line.startswith(b'"', at):
                at, is_open = at + 1, True
            if is_open:
                closed = CLOSED_QUOTE.match(line, at)
                self._open.append(line[at:] if closed is None else line[at : closed.end() - 1])
                if closed is None:
                    return True
                field, at, is_open = b"\n".join(self._open).replace(b'""', b'"'), closed.end(), False
                self._open = []
                if at < len(line) and not line.startswith(self._delimiter, at):
                    return None
            else:
                end = line.find(self._delimiter, at)
                field, at = (line[at:], len(line)) if end < 0 else (line[at:end], end)
            self._fields.append(field)
            if at == len(line):
                return False
            at += 1

    def _too_far(self, first: int, last: int, what: str) -> DataError:
        where = f"{self._where}, lines {first} and {last}"
        return DataError(where, f"a quote opens a field on the first and {what} the second", _REPAIR)


FORMAT = Format(read, suffixes=(".csv",), columns=True)
