"""TMX translation memories, streamed: no tree is built, no entity is expanded, no DTD is fetched."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from xml.parsers import expat

from optical.data.languages import canonical
from optical.data.openers import TooLong
from optical.errors import DataError

_BLOCK = 1 << 16
# Inline elements whose content is another program's native code, not text (TMX 1.4b, section 4).
_NATIVE_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})


def units(stream: BinaryIO, where: str | Path, max_bytes: int) -> Iterator[dict[str, str | TooLong]]:
    """The translation units of a TMX file: for each, the first segment of every language by ISO 639-3 code.

    Args:
        stream: decompressed bytes of the file.
        where: the file, for messages.
        max_bytes: longest segment kept; a longer one is given as ``TooLong``.

    Raises:
        DataError: not well-formed, truncated, or it declares entities.
    """
    memory = _Memory(where, max_bytes)
    ended = False
    while not ended:
        block = stream.read(_BLOCK)
        ended = not block
        try:
            memory.parser.Parse(block, ended)
        except expat.ExpatError as error:
            what = f"not well-formed at line {error.lineno}, column {error.offset} ({expat.ErrorString(error.code)})"
            raise DataError(where, what, "fetch or repair the file") from None
        yield from memory.take()


class _Memory:
    """Handlers of one parse: they collect finished units, each element's text bounded."""

    def __init__(self, where: str | Path, max_bytes: int) -> None:
        self._where = where
        self._max_bytes = max_bytes
        self._done: list[dict[str, str | TooLong]] = []
        self._unit: dict[str, str | TooLong] = {}
        self._language = ""
        self._text: list[str] | None = None
        self._bytes = 0
        self._native_depth = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.EntityDeclHandler = self._refuse
        self.parser.SkippedEntityHandler = self._refuse

    def take(self) -> list[dict[str, str | TooLong]]:
        """The units finished since the last call."""
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "tu":
            self._unit = {}
        elif name == "tuv":
            self._language = canonical(attributes.get("xml:lang") or attributes.get("lang") or "")
        elif name == "seg":
            self._text, self._bytes, self._native_depth = [], 0, 0
        elif name in _NATIVE_CODE:
            self._native_depth += 1

    def _end(self, name: str) -> None:
        if name == "tu":
            self._done.append(self._unit)
        elif name == "seg" and self._text is not None:
            segment = TooLong(self._bytes) if self._bytes > self._max_bytes else "".join(self._text)
            self._unit.setdefault(self._language, segment)
            self._text = None
        elif name in _NATIVE_CODE:
            self._native_depth -= 1

    def _characters(self, text: str) -> None:
        if self._text is None or self._native_depth > 0:
            return
        self._bytes += len(text.encode("utf-8", "surrogatepass"))
        if self._bytes <= self._max_bytes:
            self._text.append(text)

    def _refuse(self, name: str, *_: object) -> None:
        line = self.parser.CurrentLineNumber
        raise DataError(self._where, f"declares or needs entity {name!r} at line {line}", "expand entities first")
