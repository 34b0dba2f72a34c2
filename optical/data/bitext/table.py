"""Tables of pairs: which columns are the two sides (by the user's choice, a header, or content), and their pairs."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from statistics import median
from typing import BinaryIO

from optical.data.bitext.columns import NO_TEXT, is_header, kind, meaning, side_names
from optical.data.bitext.reading import Pairs, Reading
from optical.data.bitext.screen import Limits, Reject, SentencePair, excerpt, screen
from optical.data.files.open import TooLong, open_bytes
from optical.data.registry.languages import canonical, known
from optical.errors import DataError

SAMPLE = 200
"""Records that a decision rests on."""
CLOSED_QUOTE = re.compile(rb'[^"]*+(?:""[^"]*+)*+"')
"""The rest of a quoted field, behind its opening quote."""
_MOST = 0.9
_FEW = 5
_WORDS_OF_A_SENTENCE = 3
_CODE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})*")


class Spanning(list[bytes]):
    """The fields of a record over several physical lines, with the numbers of the first and the last line."""

    first = last = 0


Row = list[bytes] | TooLong | str
"""A record's fields; or that it was too long; or the reason why it has no fields."""
Records = Callable[[BinaryIO, str | Path, int], Iterator[Row]]
"""Gives the records of a stream, from the stream, the file's name for messages, and the longest record in bytes."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the two sides of a table's records are.

    Args:
        source: place of the source side, from 0.
        target: place of the target side.
        width: fields of a record; in one with fewer or more, fields may be in other places.
        header: whether the first record names the columns.
        quoted: whether fields of a tab-separated table stand in quotes, as spreadsheets write them.
    """

    source: int
    target: int
    width: int
    header: bool = False
    quoted: bool = False


def read_table(reading: Reading, records: Records, tabs: bool, english_first: bool = False) -> Pairs:
    """The pairs of files in rows and columns.

    Args:
        reading: files, languages and limits.
        records: gives the records of a stream.
        tabs: fields are divided by tabs, and quotes are text unless the whole table is written with them.
        english_first: without a header, the first of the two columns with text is the target.

    Raises:
        DataError: nothing says which columns are the sides, or a quote goes over several records.
    """
    position = 0
    for path in reading.paths:
        with open_bytes(path) as stream:
            rows = records(stream, path, reading.limits.max_bytes)
            head = list(islice(rows, SAMPLE))
            layout = _decide(head, reading, path, english_first, tabs)
            for row in islice(chain(head, rows), layout.header, None):
                yield _pair(position, row, layout, reading.limits, path)
                position += 1


def _decide(rows: Sequence[Row], reading: Reading, where: str | Path, english_first: bool, tabs: bool) -> Layout:
    """The layout of a table by its first records; the decision is reported.

    Raises:
        DataError: nothing says which columns are the sides, or a named one holds no text.
    """
    table = _Table([_cells(row) for row in rows if isinstance(row, list)], tabs, reading, where)
    if not table.cells:
        return Layout(1, 0, 2) if english_first else Layout(0, 1, 2)
    return table.by_choice() or table.by_header() or table.by_content(english_first)


def _pair(position: int, row: Row, layout: Layout, limits: Limits, path: str | Path) -> SentencePair | Reject:
    """One record's pair; a record of another width has fields in the wrong places and is refused."""
    if isinstance(row, TooLong):
        return Reject(position, "too_long")
    if isinstance(row, str):
        return Reject(position, row)
    if _is_misfit(row, layout):
        if isinstance(row, Spanning):
            where = f"{path}, lines {row.first} and {row.last}"
            what = f"a quote opened on the first closes on the second, and makes of them one record of {len(row)}"
            raise DataError(where, f"{what} fields, not {layout.width}", "repair the first of the two lines")
        return Reject(position, "malformed" if layout.header or len(row) > 1 else "missing")
    source, target = row[layout.source], row[layout.target]
    if layout.quoted:
        source, target = _undouble(source), _undouble(target)
    return screen(position, source, target, limits)


def _is_misfit(row: list[bytes], layout: Layout) -> bool:
    """Whether a record's fields may be in other places than the layout's.

    Empty fields behind the last do no harm where a side is last; else a stray delimiter may have pushed them there.
    """
    if len(row) == layout.width:
        return False
    return any(row[layout.width :] or [True]) or max(layout.source, layout.target) < layout.width - 1


class _Table:
    """The first records of a table as text, and the ways to decide by them."""

    def __init__(self, cells: list[list[str]], tabs: bool, reading: Reading, where: str | Path) -> None:
        self.quoted = tabs and _written_with_quotes(cells)
        self.cells = [[_bare(cell) for cell in row] for row in cells] if self.quoted else cells
        self.reading, self.where, self.first = reading, where, self.cells[0] if cells else []

    def by_choice(self) -> Layout | None:
        """The columns that the source specification names, by number from 1 or by the header's names."""
        chosen = self.reading.columns
        if chosen is None:
            return None
        if all(name.isdecimal() for name in chosen):
            places = [int(name) - 1 for name in chosen]
            header = is_header(self.first, self.reading.source, self.reading.target)
        else:
            names = [cell.strip() for cell in self.first]
            places = [names.index(name) if name in names else -1 for name in chosen]
            self._refuse_twins([name for name, place in zip(chosen, places, strict=True) if place >= 0])
            header = True
        width = self._width(header)
        if places[0] == places[1] or not all(0 <= place < width for place in places):
            raise DataError(self.where, f"has no columns {' and '.join(chosen)}: {self._shown()}", self._advice())
        return self._layout(places, width, header, f"columns {' and '.join(chosen)}, as the source says")

    def by_header(self) -> Layout | None:
        """The columns that the first record names, if it is a header."""
        reading, names = self.reading, [cell.strip() for cell in self.first]
        named = side_names(names, reading.source, reading.target)
        if named is None and not is_header(names, reading.source, reading.target):
            return self._by_half_a_header()
        if named is None:
            what = f"the header names no columns for {reading.source} and {reading.target}: {self._shown()}"
            raise DataError(self.where, what, self._advice())
        self._refuse_twins(named)
        places = [names.index(name) for name in named]
        if any(self.first[place] in [row[place] for row in self.cells[1:2] if place < len(row)] for place in places):
            return None  # a column that says the language of each record
        how = f"columns {' and '.join(map(repr, named))} of the header"
        return self._layout(places, self._width(True), True, how)

    def _refuse_twins(self, named: Sequence[str]) -> None:
        for name in named:
            if [cell.strip() for cell in self.first].count(name) > 1:
                raise DataError(self.where, f"the header names column {name!r} twice: {self._shown()}", self._advice())

    def by_content(self, english_first: bool) -> Layout:
        """The only two columns that hold text, the source first unless the reader's name says otherwise."""
        width = self._width(False)
        places = [place for place in range(width) if self._is_side(place, width)]
        few = width == 2 and len(self._column(0, width)) < _FEW
        if len(places) != 2 and few:
            places = [0, 1]  # a few rows of numbers or names say nothing against the only two columns
        if len(places) != 2:
            what = f"{len(places)} of {width} columns hold text, not two: {self._shown()}"
            raise DataError(self.where, what, self._advice())
        how = f"the only ones of {width} with text" if width > 2 else "the only two"
        return self._layout(places[::-1] if english_first else places, width, False, how, few)

    def _by_half_a_header(self) -> Layout | None:
        """``Kiswahili, English`` above sentences: one cell is a word of headers, and the others are as short."""
        reading = self.reading
        rest = self.cells[1:]
        if len(self.first) != 2 or not rest or any(len(cell.split()) > 2 for cell in self.first):
            return None
        means = [meaning(cell, reading.source, reading.target) for cell in self.first]
        sides = (canonical(reading.source), canonical(reading.target))
        if median(len(cell.split()) for row in rest for cell in row) < _WORDS_OF_A_SENTENCE or "" not in means:
            return None
        for place, what in enumerate(means):
            if what in sides:
                places = [place, 1 - place] if what == sides[0] else [1 - place, place]
                return self._layout(places, self._width(True), True, f"a header with the column {self.first[place]!r}")
        return None

    def _layout(self, places: Sequence[int], width: int, header: bool, how: str, few: bool = False) -> Layout:
        for side, place in zip(("source", "target"), places, strict=True):
            found = kind(self._column(place, width)[header:])
            if not few and found in NO_TEXT:
                what = f"column {place + 1} should be the {side} side and holds {found}, not text: {self._shown()}"
                raise DataError(self.where, what, self._advice())
        quotes = ", quotes around fields taken off" if self.quoted else ""
        names = f"source {self.reading.source} in column {places[0] + 1}, target {self.reading.target} in column"
        self.reading.tell(f"{names} {places[1] + 1}: {how}{quotes}")
        return Layout(places[0], places[1], width, header, self.quoted)

    def _width(self, header: bool) -> int:
        """The number of fields that nearly every record has."""
        widths = Counter(len(row) for row in self.cells[header:] if len(row) > 1)
        if not widths:
            return len(self.first)
        width = widths.most_common(1)[0][0]
        wanted = len(self.first) if header else width
        misfits = [number for number, row in enumerate(self.cells) if len(row) > 1 and not _fits(row, wanted)]
        number = misfits[0] if misfits else 0
        uneven = f"record 1 has {len(self.first)} fields and record {number + 1} has {len(self.cells[number])}"
        if header and width != wanted and widths[wanted] * 2 < widths.total():
            advice = "correct the header, so that it names every column, or the records"
            raise DataError(self.where, f"{uneven}: {self._shown()}", advice)
        if not header and len(misfits) > (1 - _MOST) * widths.total():
            advice = f"correct the records, or write them as CSV with quotes; {self._advice()}"
            raise DataError(self.where, f"{uneven}, and there is no header: {self._shown()}", advice)
        return wanted

    def _column(self, place: int, width: int) -> list[str]:
        return [row[place] for row in self.cells if len(row) == width]

    def _is_side(self, place: int, width: int) -> bool:
        cells = self._column(place, width)
        found = kind(cells)
        return (found == "text" or (width == 2 and found == "one value")) and not self._names_languages(cells)

    def _names_languages(self, cells: Sequence[str]) -> bool:
        """Whether a column says the same language in each record."""
        value = cells[0].strip()
        language = known(value) if _CODE.fullmatch(value) and len(set(cells)) == 1 else None
        sides = (canonical(self.reading.source), canonical(self.reading.target))
        return language is not None and (language.code in sides or len(cells) >= _FEW)

    def _shown(self) -> str:
        """The first record with the numbers of its columns."""
        return "; ".join(f"{number} {excerpt(cell)!r}" for number, cell in enumerate(self.first, start=1))[:400]

    def _advice(self) -> str:
        reader = "tsv" if self.reading.reader.startswith("tsv") else self.reading.reader
        return f"say the columns, source first: {reader}:1,2:{self.where}, or add a header line with their languages"


def _fits(row: Sequence[str], width: int) -> bool:
    """Whether a record has ``width`` fields; empty ones may follow."""
    return len(row) >= width and not any(row[width:])


def _cells(row: list[bytes]) -> list[str]:
    return [field.decode("utf-8", "replace") for field in row]


def _written_with_quotes(cells: list[list[str]]) -> bool:
    """Whether every quote is part of a field's quoting, and some can be nothing else: doubled, or in a whole column."""
    fields = [cell.encode() for row in cells for cell in row if '"' in cell]
    if not fields or not all(map(_is_quoted, fields)):
        return False
    whole = any(all('"' in cell for cell in column) for column in zip(*cells, strict=False))
    return any(b'""' in field[1:-1] for field in fields) or (len(cells) > 1 and whole)


def _bare(cell: str) -> str:
    return _undouble(cell.encode()).decode()


def _undouble(field: bytes) -> bytes:
    """The text of a field without the quotes around it, and with doubled quotes once; any other field as it is."""
    return field[1:-1].replace(b'""', b'"') if _is_quoted(field) else field


def _is_quoted(field: bytes) -> bool:
    """Whether a field as a whole stands in quotes, those inside being doubled."""
    return field[:1] == b'"' and (closed := CLOSED_QUOTE.match(field, 1)) is not None and closed.end() == len(field)
