"""TMX translation memories, streamed. A broken unit is rejected alone; no entity is expanded, no DTD is fetched.

The units are cut out of the file and parsed one by one; the rest of the file must be well-formed XML without them.
"""

import re
import unicodedata
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from xml.parsers import expat

from optical.data.bitext.reading import Format, Pairs, Reading
from optical.data.bitext.screen import Reject, screen
from optical.data.files.encodings import declared
from optical.data.files.open import TooLong, open_bytes
from optical.data.registry.languages import canonical, known
from optical.errors import DataError

Segments = list[tuple[str, str | TooLong]]
"""The segments of a unit in order, each with its language as the file writes it."""

_BLOCK = 1 << 16
_LONGEST_MARK = 64
_PIECES_AT_ONCE = 256
_MOST_SEGMENTS = 64
"""Segments of the longest length that a unit held in memory may have."""
_MARKS = {
    "around": re.compile(rb"<!--|<tu(?=[\s>])"),
    "comment": re.compile(rb"-->"),
    "unit": re.compile(rb"</tu\s*>|<tu(?=[\s>])"),
}
_CONTROL = re.compile(
    rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|&#0*([0-8]|1[124-9]|2\d|3[01]);|&#x0*([0-8bcef]|1[0-9a-f]);", re.IGNORECASE
)
_NATIVE_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})
"""Inline elements that contain another program's native code, not text (TMX 1.4b, section 4)."""
_WITHIN_WORDS = frozenset({"hi", "g", "mrk"})
_GAP = "\x00"  # no XML text holds one
_JOINED_AFTER = "'\u2019/"
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\uff00-\uffef]")


def read(reading: Reading) -> Pairs:
    """A pair for each unit. Of several segments in one language the first counts, or the first in the named script."""
    position = 0
    for path in reading.paths:
        with open_bytes(path) as stream:
            for unit in units(stream, path, reading.limits.max_bytes):
                if isinstance(unit, str):
                    yield Reject(position, unit)
                else:
                    source, target = (_segment(unit, code) for code in (reading.source, reading.target))
                    yield screen(position, source, target, reading.limits)
                position += 1


def units(stream: BufferedReader, where: str | Path, max_bytes: int) -> Iterator[Segments | str]:
    """The translation units of a TMX file: the segments of each, or why it has none (a key of ``REASONS``).

    Args:
        stream: decompressed bytes of the file.
        where: the file, for messages.
        max_bytes: longest segment kept; a longer one is given as ``TooLong``.

    Raises:
        DataError: no TMX, not well-formed around its units, truncated, or it declares entities.
    """
    around = _Around(where)
    most = max_bytes * _MOST_SEGMENTS
    for is_unit, piece in _pieces(declared(stream, where), most):
        if is_unit:
            yield _parsed(piece, max_bytes) if len(piece) < most else "too_long"
        around.feed(b"\n" * piece.count(b"\n") if is_unit else piece)
    around.feed(b"", ended=True)


def _pieces(stream: BufferedReader, most: int) -> Iterator[tuple[bool, bytes]]:
    """The file cut into units (true) and the text around them; a unit of over ``most`` bytes loses its middle."""
    state, buffer, begin, start = "around", b"", 0, 0
    while block := stream.read(_BLOCK):
        buffer += block
        while mark := _MARKS[state].search(buffer, start):
            opens = not mark[0].endswith(b">")
            cut = mark.start() if opens else mark.end()
            yield state == "unit", buffer[begin:cut]
            state = "around" if not opens else "comment" if mark[0] == b"<!--" else "unit"
            begin, start = cut, mark.end()
        if state != "unit":
            cut = max(begin, len(buffer) - _LONGEST_MARK)
            yield False, buffer[begin:cut]
            begin = cut
        buffer, start = buffer[begin:], start - begin
        if len(buffer) > most:
            buffer = buffer[:most] + buffer[-_LONGEST_MARK:]
        begin, start = 0, max(min(start, len(buffer)), len(buffer) - _LONGEST_MARK)
    yield False, buffer


class _Around:
    """The XML around the units. Empty lines stand in their places, so that line numbers are those of the file."""

    def __init__(self, where: str | Path) -> None:
        self._where = where
        self._root = ""
        self._waiting: list[bytes] = []
        self._parser = expat.ParserCreate("utf-8")
        self._parser.StartElementHandler = self._start
        self._parser.EntityDeclHandler = self._refuse
        self._parser.SkippedEntityHandler = self._refuse

    def feed(self, piece: bytes, ended: bool = False) -> None:
        """Parse the next piece.

        Raises:
            DataError: it is not well-formed, is no TMX, or declares entities.
        """
        self._waiting.append(piece)
        if len(self._waiting) < _PIECES_AT_ONCE and not ended:
            return
        whole, self._waiting = b"".join(self._waiting), []
        try:
            self._parser.Parse(whole, ended)
        except expat.ExpatError as error:
            what = f"not well-formed at line {error.lineno}, column {error.offset} ({expat.ErrorString(error.code)})"
            raise DataError(self._where, what, "fetch or repair the file") from None

    def _start(self, name: str, _: dict[str, str]) -> None:
        if not self._root and name.lower() != "tmx":
            raise DataError(self._where, f"is <{name}>, not TMX", "convert it, or name it by its format")
        self._root = name

    def _refuse(self, name: str, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise DataError(self._where, f"declares or needs entity {name!r} at line {line}", "expand entities first")


def _parsed(unit: bytes, max_bytes: int) -> Segments | str:
    try:
        return _Unit(max_bytes).parse(unit)
    except expat.ExpatError:
        pass
    try:
        unit.decode("utf-8")
    except UnicodeError:
        return "utf8"
    return "control" if _CONTROL.search(unit) else "malformed"


class _Unit:
    """Parses one unit: the text of each segment, bounded, with gaps in the places of inline elements."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._segments: Segments = []
        self._language = ""
        self._text: list[str] | None = None
        self._bytes = 0
        self._native_depth = 0

    def parse(self, unit: bytes) -> Segments:
        """The segments of a whole ``tu`` element; ``ExpatError`` when it is not well-formed."""
        parser = expat.ParserCreate("utf-8")
        parser.buffer_text = True
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(unit, True)
        return self._segments

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tuv":
            self._language = attributes.get("xml:lang") or attributes.get("lang") or ""
        elif name == "seg":
            self._text, self._bytes, self._native_depth = [], 0, 0
        elif self._text is not None:
            self._native_depth += name in _NATIVE_CODE
            self._leave_gap(name)

    def _end(self, name: str) -> None:
        if name == "seg" and self._text is not None:
            text = TooLong(self._bytes) if self._bytes > self._max_bytes else _without_gaps("".join(self._text))
            self._segments.append((self._language, text))
            self._text = None
        elif self._text is not None:
            self._native_depth -= name in _NATIVE_CODE
            self._leave_gap(name)

    def _characters(self, text: str) -> None:
        if self._text is None or self._native_depth > 0:
            return
        self._bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._bytes <= self._max_bytes:
            self._text.append(text)

    def _leave_gap(self, name: str) -> None:
        if self._text is not None and name not in _WITHIN_WORDS:
            self._text.append(_GAP)


def _without_gaps(text: str) -> str:
    """The text with a space in each gap that would join two words; none in scripts without spaces."""
    return re.sub(f"([^{_GAP}]?){_GAP}+(?=(.?))", _filled, text, flags=re.DOTALL) if _GAP in text else text


def _filled(gap: re.Match) -> str:
    before, after = gap[1], gap[2]
    joined = (
        not before
        or not after
        or before in _JOINED_AFTER
        or unicodedata.category(before) in ("Ps", "Pi", "Pd")
        or unicodedata.category(after) in ("Po", "Pe", "Pf", "Pd")
        or bool(_UNSPACED.match(before) and _UNSPACED.match(after))
    )
    return before if joined else f"{before} "


def _segment(unit: Segments, wanted: str) -> str | TooLong | None:
    """The segment of a language; ``None`` where there is none."""
    own = [(known(name), text) for name, text in unit if canonical(name) == canonical(wanted)]
    named = (text for found, text in own if found and found == known(wanted))
    return next(named, own[0][1] if own else None)


FORMAT = Format(read, suffixes=(".tmx",))
