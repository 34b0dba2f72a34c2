"""Encodings: text that is not UTF-8 is read where its bytes name the encoding, and otherwise refused with its name."""

import codecs
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from optical.errors import DataError

_BLOCK = 1 << 18
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_WIDE = (
    ("UTF-32LE", 4, (2, 3), 0.47, 1.0),
    ("UTF-32BE", 4, (0, 1), 0.47, 1.0),
    ("UTF-16LE", 2, (1,), 0.03, 0.05),
    ("UTF-16BE", 2, (0,), 0.03, 0.05),
)
"""Encoding, bytes of a character, places of its zeros, their least share of all bytes, the most zeros elsewhere."""
_FEWEST_ZEROS, _MOST_ZEROS = 4, 0.8
"""Bytes, and a share of all: text in UTF-32 has three zeros in four, and nothing but zeros is no text."""
_NOT_TEXT = (
    (b"\x1f\x8b\x08", "gzip-compressed", "give its name the ending .gz"),
    (b"BZh91AY&SY", "bzip2-compressed", "give its name the ending .bz2"),
    (b"\xfd7zXZ\x00", "xz-compressed", "give its name the ending .xz"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "give its name the ending .zst"),
    (b"PK\x03\x04", "a zip archive", "give its name the ending .zip"),
    (b"PAR1", "a parquet file", "give its name the ending .parquet"),
    (b"version https://git-lfs.github.com/spec/", "a Git LFS pointer, not the file itself", "run git lfs pull"),
)
_FEWEST = 3
_SHARE = 0.05
"""Least number and share of the first lines in another encoding that make it the file's; fewer are rejected alone."""
_TWICE = re.compile(
    rb"\xc3[\x82\x83\x90\x91\x98\x99]\xc2[\x80-\xbf]|\xc3[\xa0-\xaf]\xc2[\x80-\x9f\xa1-\xaa\xac-\xba\xbc-\xbf]"
    rb"|\xc3\xa2\xe2\x82\xac"
)
"""UTF-8 that was taken for Latin-1 or Windows-1252 and encoded again: an accented letter, or a curly quote."""
_LOST = "\ufffd".encode()


def as_text(stream: io.BufferedReader, where: str | Path) -> io.BufferedReader:
    r"""The bytes of a text in UTF-8 with lines that end in ``\n``, whatever the file has; judged by its beginning.

    UTF-16 and UTF-32 with a byte order mark are read, and so are lines that end in CR alone.

    Args:
        stream: decompressed bytes, at their beginning.
        where: the file, for messages.

    Raises:
        DataError: it is no text, or looks like text in another encoding; with the command that converts it.
    """
    head = stream.peek(_BLOCK)
    for mark, codec in _BOMS:
        if head.startswith(mark):
            stream.read(len(mark))
            return as_text(transcoded(stream, codec, where), where)
    for beginning, what, advice in _NOT_TEXT:
        if head.startswith(beginning):
            raise DataError(where, f"is {what}", advice)
    if b"\0" in head:
        _refuse_wide(head, where)
    if not head.isascii():
        _refuse_narrow(head, where)
    if b"\n" not in head and b"\r" in head[:-1]:
        return _buffered(stream, _newlines(), where)
    return stream


def declared(stream: io.BufferedReader, where: str | Path) -> io.BufferedReader:
    """The bytes of an XML file in UTF-8, from the encoding that it declares.

    Raises:
        DataError: the encoding is unknown.
    """
    found = re.match(rb"(?:\xef\xbb\xbf)?\s*<\?xml[^>]*?encoding\s*=\s*[\"']([\w.:-]+)", stream.peek(_BLOCK))
    name = found[1].decode("ascii") if found else "utf-8"
    try:
        codec = codecs.lookup(name).name
    except LookupError:
        raise DataError(where, f"declares the unknown encoding {name!r}", "convert it to UTF-8") from None
    # A file that says UTF-16 is in UTF-8 by now.
    return stream if codec.startswith(("utf", "ascii")) else transcoded(stream, codec, where)


def transcoded(stream: BinaryIO, codec: str, where: str | Path) -> io.BufferedReader:
    """The bytes of a stream in another encoding as UTF-8; lone surrogates stay, which makes them invalid UTF-8."""
    errors = "surrogatepass" if codec.startswith("utf") else "strict"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    return _buffered(stream, lambda block, ended: decoder.decode(block, ended).encode("utf-8", "surrogatepass"), where)


class _Changed(io.RawIOBase):
    """A stream whose blocks go through a function as they are read."""

    def __init__(self, inner: BinaryIO, change: Callable[[bytes, bool], bytes], where: str | Path) -> None:
        self._inner, self._change, self._where = inner, change, where
        self._waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a memoryview is all that comes
        block = None
        while not self._waiting and block != b"":
            block = self._inner.read(_BLOCK)
            try:
                self._waiting = self._change(block, not block)
            except UnicodeError as error:
                raise DataError(self._where, f"is not what it says ({error})", "fetch or rebuild the file") from None
        given, self._waiting = self._waiting[: len(buffer)], self._waiting[len(buffer) :]
        buffer[: len(given)] = given
        return len(given)


def _buffered(inner: BinaryIO, change: Callable[[bytes, bool], bytes], where: str | Path) -> io.BufferedReader:
    return io.BufferedReader(_Changed(inner, change, where), _BLOCK)


def _newlines() -> Callable[[bytes, bool], bytes]:
    decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("latin-1")(), translate=True)
    return lambda block, ended: decoder.decode(block, ended).encode("latin-1")


def _refuse_wide(head: bytes, where: str | Path) -> None:
    """Refuse UTF-16 and UTF-32 without a mark: their zeros are in the same places of every character."""
    zeros = head.count(0)
    if zeros > _MOST_ZEROS * len(head):
        return
    for codec, width, places, least, elsewhere in _WIDE:
        placed = sum(head[place::width].count(0) for place in places)
        if placed >= max(_FEWEST_ZEROS, least * len(head)) and zeros - placed <= elsewhere * zeros:
            raise _other(where, f"looks like {codec} without a byte order mark", codec)


def _refuse_narrow(head: bytes, where: str | Path) -> None:
    """Refuse text with more than a few lines in another encoding, or converted wrongly before."""
    lines = head.split(b"\n")
    if len(lines) > 1:
        lines.pop()  # the end of the head may cut a character
    foreign = [line for line in lines if not line.isascii()]
    least = max(_FEWEST, _SHARE * len(lines))
    bad = [line for line in foreign if not _is_utf8(line)]
    if len(bad) >= least and len(bad) > 0.9 * len(foreign):
        raise _eight_bit(b"\n".join(bad), where)
    if sum(bool(_TWICE.search(line)) for line in foreign) >= least:
        what = "looks like UTF-8 that was taken for Windows-1252 and encoded again"
        raise DataError(where, what, f"iconv -f UTF-8 -t WINDOWS-1252 {where} > repaired")
    if sum(_LOST in line for line in foreign) >= least:
        raise DataError(where, "has lost characters (U+FFFD) in an earlier conversion", "get the original file")


def _eight_bit(lines: bytes, where: str | Path) -> DataError:
    """In the languages of Windows-1252 a letter beyond ASCII mostly stands alone; in other encodings they are many."""
    alone = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])", lines))
    if alone > 0.5 * len(re.findall(rb"[\x80-\xff]", lines)):
        return _other(where, "is not UTF-8 and looks like Windows-1252 or Latin-1", "WINDOWS-1252")
    return _other(where, "is not UTF-8, but an encoding that `file` or its source may name", "ENCODING")


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeError:
        return False
    return True


def _other(where: str | Path, what: str, encoding: str) -> DataError:
    return DataError(where, what, f"convert it: iconv -f {encoding} -t UTF-8 {where} > converted")
