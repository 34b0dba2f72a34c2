"""Decompression, bounded: streams that name the file in every error and refuse to grow without end."""

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, Protocol

import pyarrow

from optical.errors import DataError

BLOCK = 1 << 18
_LZMA_MEMORY = 256 << 20
DAMAGE = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, tarfile.TarError)


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far a file may inflate.

    Args:
        max_bytes: most bytes.
        max_ratio: most times its size on disk; text compresses by 3 to 30.
        ratio_free_bytes: up to here any ratio is accepted.
    """

    max_bytes: int = 256 << 30
    max_ratio: int = 200
    ratio_free_bytes: int = 256 << 20


BOUNDS = Bounds()


class Readable(Protocol):
    """A stream that can be read."""

    def read(self, size: int, /) -> bytes:
        """At most ``size`` bytes; none at the end."""
        ...


class Metered(io.RawIOBase):
    """A file as stored, which counts the bytes read of it, and how far it may inflate."""

    def __init__(self, inner: BinaryIO, bounds: Bounds = BOUNDS) -> None:
        self._inner = inner
        self.bounds = bounds
        self.consumed = 0

    def readable(self) -> bool:  # noqa: D102
        return True

    def seekable(self) -> bool:  # noqa: D102
        return self._inner.seekable()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:  # noqa: D102
        self._inner.seek(offset, whence)
        return self._inner.tell()

    def tell(self) -> int:  # noqa: D102
        return self._inner.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a memoryview is all that comes  # noqa: D102
        block = self._inner.read(len(buffer))
        buffer[: len(block)] = block
        self.consumed += len(block)
        return len(block)


def inflated(stream: IO[bytes], where: str | Path, suffix: str, meter: Metered) -> io.BufferedReader:
    """The bytes of a stream, decompressed when the suffix says so.

    Args:
        stream: bytes as stored.
        where: the file, for messages.
        suffix: ``.gz``, ``.bz2``, ``.xz`` or ``.zst``; any other is plain.
        meter: counts the bytes read of the file on disk.

    Returns:
        A buffered stream that raises ``DataError`` where the bytes are damaged, truncated or a decompression bomb.
    """
    found: Readable = stream
    if suffix in CODECS:
        stored: io.BufferedReader = io.BufferedReader(stream)  # type: ignore[type-var,arg-type]  # any stream of bytes
        first = _first(stored, where)
        if not first:
            raise DataError(where, f"truncated {suffix} file: 0 bytes", "fetch or rebuild the file")
        if not any(first.startswith(mark) or mark.startswith(first) for mark in _BEGINNINGS[suffix]):
            what = f"damaged, or no {suffix} file at all: it begins with {first[:16]!r}"
            raise DataError(where, what, f"fetch it again; if it is plain, take {suffix} off its name")
        found = CODECS[suffix](stored)
    return io.BufferedReader(_Checked(found, where, meter), BLOCK)


def _arrow(codec: str) -> Callable[[io.BufferedReader], Readable]:
    return lambda stored: pyarrow.CompressedInputStream(pyarrow.PythonFile(stored, mode="r"), codec)


class _Streams(io.RawIOBase):
    """Concatenated bz2 or xz streams, each of which must be whole."""

    def __init__(
        self, stored: io.BufferedReader, new: Callable[[], bz2.BZ2Decompressor | lzma.LZMADecompressor]
    ) -> None:
        self._stored = stored
        self._new = new
        self._current = new()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a memoryview is all that comes
        while True:
            if self._current.eof:
                block = self._current.unused_data.lstrip(b"\0") or self._stored.read(BLOCK).lstrip(b"\0")
                if not block:
                    return 0
                self._current = self._new()
            elif self._current.needs_input:
                block = self._stored.read(BLOCK)
                if not block:
                    raise EOFError("it ends inside a compressed stream")
            else:
                block = b""
            found = self._current.decompress(block, len(buffer))
            if found:
                buffer[: len(found)] = found
                return len(found)


CODECS: dict[str, Callable[[io.BufferedReader], Readable]] = {
    ".gz": _arrow("gzip"),
    ".zst": _arrow("zstd"),
    ".bz2": lambda stored: _Streams(stored, bz2.BZ2Decompressor),
    ".xz": lambda stored: _Streams(stored, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _LZMA_MEMORY)),
}
"""The decompression of each suffix."""
_BEGINNINGS = {
    ".gz": (b"\x1f\x8b",),
    ".zst": (b"\x28\xb5\x2f\xfd", *(bytes([0x50 + skipped]) + b"\x2a\x4d\x18" for skipped in range(16))),
    ".bz2": (b"BZh",),
    ".xz": (b"\xfd7zXZ\0",),
}


def format_suffix(name: str) -> str:
    """The suffix of a file's format, without that of a compression, in lower case.

    >>> format_suffix("pairs.tsv.gz"), format_suffix("PAIRS.TSV")
    ('.tsv', '.tsv')
    """
    lower = PurePosixPath(name.lower())
    return (lower.with_suffix("") if lower.suffix in CODECS else lower).suffix


def _first(stored: io.BufferedReader, where: str | Path) -> bytes:
    try:
        return stored.peek(1)
    except DAMAGE as error:
        raise DataError(where, f"damaged ({error})", "fetch or rebuild the file") from error


class _Checked(io.RawIOBase):
    """Raw stream that raises a DataError, with the file and the place, for every kind of damage."""

    def __init__(self, inner: Readable, where: str | Path, meter: Metered) -> None:
        self._inner = inner
        self._where = where
        self._meter = meter
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # a memoryview is all that comes
        try:
            block = self._inner.read(len(buffer))
        except (ConnectionError, TimeoutError):
            raise
        except DAMAGE as error:
            what = f"damaged or truncated after {self._position} decompressed bytes ({error})"
            raise DataError(self._where, what, "fetch or rebuild the file") from error
        buffer[: len(block)] = block
        self._position += len(block)
        self._refuse_bomb()
        return len(block)

    def _refuse_bomb(self) -> None:
        stored, position, bounds = self._meter.consumed, self._position, self._meter.bounds
        if position > bounds.max_bytes:
            raise DataError(self._where, f"inflates to more than {bounds.max_bytes} bytes", "split the file")
        if position > max(bounds.ratio_free_bytes, bounds.max_ratio * stored):
            times = f"over {bounds.max_ratio} times: a decompression bomb"
            what = f"inflates {stored} bytes to more than {position}, {times}"
            raise DataError(self._where, what, "check where the file is from, or unpack it first")
