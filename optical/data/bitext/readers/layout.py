"""Which columns of a table are the two sides: by what the user says, by a header, or by what the columns hold."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from optical.data.bitext.readers.columns import is_header, meaning, side_names
from optical.data.bitext.readers.delimited import Row, is_quoted, undouble
from optical.data.bitext.readers.reading import Reading
from optical.data.bitext.screen import excerpt
from optical.data.registry.languages import canonical, known
from optical.errors import DataError

SAMPLE = 200
"""Records that a decision rests on."""
NO_TEXT = frozenset({"addresses", "numbers", "identifiers", "licences"})
"""Kinds of columns that are never a side."""
_MOST = 0.9
_FEW, _SEVERAL = 5, 20
_WORDS_OF_A_SENTENCE = 3
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+|[\w.-]+(?:/[\w.-]+)+\.\w{2,5}", re.IGNORECASE)
_LICENCE = re.compile(r"cc[- ]by|tatoeba\.org", re.IGNORECASE)
_CODE = re.compile(r"[A-Za-z]{2,3}(?:[-_][A-Za-z]{2,4})*")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the two sides of a table's records are.

    Args:
        source: place of the source side, from 0.
        target: place of the target side.
        width: fields that a record has; of one with fewer or more nobody knows which are which.
        header: whether the first record names the columns.
        quoted: whether fields of a tab-separated table stand in quotes, as spreadsheets write them.
    """

    source: int
    target: int
    width: int
    header: bool = False
    quoted: bool = False


def decide(rows: Sequence[Row], reading: Reading, where: str | Path, english_first: bool, tabs: bool) -> Layout:
    """The layout of a table by its first records; what was decided is told.

    Raises:
        DataError: nobody can know which columns are the sides, or what is named as a side holds no text.
    """
    table = _Table([_cells(row) for row in rows if isinstance(row, list)], tabs, reading, where)
    if not table.cells:
        return Layout(*((1, 0) if english_first else (0, 1)), 2)
    return table.by_choice() or table.by_header() or table.by_content(english_first)


def kind(cells: Sequence[str]) -> str:
    """What the cells of a column hold: ``text``, ``addresses``, ``numbers``, ``identifiers``, ``licences``,
    ``one value``, or ``little`` when most are empty."""
    full = [cell.strip() for cell in cells if cell.strip()]
    if not full or len(full) * 2 < len(cells):
        return "little"

    def most(test: object) -> bool:
        return sum(map(bool, map(test, full))) >= _MOST * len(full)

    if most(_ADDRESS.fullmatch):
        return "addresses"
    if most(_is_number):
        return "numbers"
    if most(_LICENCE.match):
        return "licences"
    if len(full) >= _SEVERAL and len(set(full)) == 1:
        return "one value"
    if len(full) >= _FEW and len(set(full)) == len(full) and most(_is_identifier):
        return "identifiers"
    return "text"


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
        return Layout(*places, width, header, self.quoted)

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
            advice = "mend the header, so that it names every column, or the records"
            raise DataError(self.where, f"{uneven}: {self._shown()}", advice)
        if not header and len(misfits) > (1 - _MOST) * widths.total():
            advice = f"mend the records, or write them as CSV with quotes; {self._advice()}"
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
    """Whether a record has as many fields, or more of which the others are empty."""
    return len(row) >= width and not any(row[width:])


def _cells(row: list[bytes]) -> list[str]:
    return [field.decode("utf-8", "replace") for field in row]


def _is_number(cell: str) -> bool:
    return any(map(str.isdigit, cell)) and not any(map(str.isalpha, cell))


def _is_identifier(cell: str) -> bool:
    return cell.isascii() and not any(map(str.isspace, cell)) and any(map(str.isdigit, cell))


def _written_with_quotes(cells: list[list[str]]) -> bool:
    """Whether every quote is part of a field's quoting, and some can be nothing else: doubled, or in a whole column."""
    fields = [cell.encode() for row in cells for cell in row if '"' in cell]
    if not fields or not all(map(is_quoted, fields)):
        return False
    whole = any(all('"' in cell for cell in column) for column in zip(*cells, strict=False))
    return any(b'""' in field[1:-1] for field in fields) or (len(cells) > 1 and whole)


def _bare(cell: str) -> str:
    return undouble(cell.encode()).decode()
