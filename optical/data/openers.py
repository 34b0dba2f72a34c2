"""Opening data files: plain, gzip, zstd or a zip member as one bounded, checked byte stream."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

import pyarrow

from optical.errors import DataError

BOM = b"\xef\xbb\xbf"
_BLOCK = 1 << 18
_CODECS = {".gz": "gzip", ".zst": "zstd"}
_DAMAGE = (OSError, EOFError, zlib.error, zipfile.BadZipFile)


@dataclass(frozen=True, slots=True)
class TooLong:
    """Stands in the place of a line that was longer than the bound, so that alignment survives."""

    bytes: int


@contextmanager
def open_bytes(path: str | Path) -> Iterator[BinaryIO]:
    """Open a data file as a buffered stream of its decompressed bytes.

    Args:
        path: a plain, ``.gz`` or ``.zst`` file, or ``archive.zip!member``; a zip with one member implies it.

    Raises:
        DataError: missing, damaged or truncated file (also while the stream is read), or an unsafe zip member.
    """
    archive, member = split_member(path)
    try:
        opened = open(archive, "rb")  # noqa: SIM115 - closed by the `with` below, outside this try
    except OSError as error:
        raise DataError(path, f"cannot be opened ({error.strerror})", "check the path") from None
    with opened as raw:
        if archive.suffix == ".zip":
            with _open_member(raw, path, member) as inner:
                yield decompressed(inner, path, PurePosixPath(inner.name).suffix)
        else:
            yield decompressed(raw, path, archive.suffix)


def decompressed(stream: BinaryIO, where: str | Path, suffix: str) -> BinaryIO:
    """Wrap a stream: inflate it when the suffix says so, and name the file in every error."""
    if suffix in _CODECS:
        if not _peek(stream, where):
            raise DataError(where, f"truncated {suffix} file: 0 bytes", "fetch or rebuild the file")
        stream = pyarrow.CompressedInputStream(pyarrow.PythonFile(stream, mode="r"), _CODECS[suffix])
    return io.BufferedReader(_Checked(stream, where), _BLOCK)


def lines(stream: BinaryIO, max_bytes: int) -> Iterator[bytes | TooLong]:
    r"""The physical lines of a stream: split on ``\n`` only, one trailing ``\r`` and a leading BOM removed.

    Unicode separators (U+2028, U+0085, form feed) stay inside their line; a missing final newline is no difference.

    Args:
        stream: decompressed bytes.
        max_bytes: longest line given out; of a longer one only a ``TooLong`` is given, in bounded memory.
    """
    first = True
    while line := stream.readline(max_bytes + 2):
        length = len(line)
        if not line.endswith(b"\n") and length == max_bytes + 2:
            length += _skip_line(stream)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        yield TooLong(length) if len(line) > max_bytes else line.removeprefix(BOM) if first else line
        first = False


def split_member(path: str | Path) -> tuple[Path, str | None]:
    """Split ``archive.zip!member`` into the archive and the member's name (``None`` when no member is named)."""
    text = str(path)
    if ".zip!" not in text or Path(text).exists():
        return Path(text), None
    archive, _, member = text.partition(".zip!")
    return Path(f"{archive}.zip"), member


def member_name(path: str | Path) -> str:
    """The name that tells a file's format: the zip member's for an archive, the file's own otherwise.

    Raises:
        DataError: the archive is damaged, or does not say which member is meant.
    """
    archive, member = split_member(path)
    if archive.suffix != ".zip" or member is not None:
        return member or archive.name
    with open(archive, "rb") as raw, _open_member(raw, path, None) as inner:
        return inner.name


def _peek(stream: BinaryIO, where: str | Path) -> bytes:
    try:
        return stream.peek(1)
    except _DAMAGE as error:
        raise DataError(where, f"damaged ({error})", "fetch or rebuild the file") from error


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while chunk := stream.readline(_BLOCK):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped


@contextmanager
def _open_member(raw: BinaryIO, path: str | Path, member: str | None) -> Iterator[BinaryIO]:
    try:
        archive = zipfile.ZipFile(raw)
        name = member or _only_member(archive, path)
        if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts:
            raise DataError(path, f"unsafe member name {name!r}", "rebuild the archive with relative names")
        opened = archive.open(name)
    except KeyError:
        raise DataError(path, f"has no member {member!r}", f"it holds: {', '.join(archive.namelist()[:8])}") from None
    except (*_DAMAGE, NotImplementedError, RuntimeError) as error:
        raise DataError(path, f"unreadable zip ({error})", "fetch it again, or unpack it first") from error
    with opened as inner:
        yield inner


def _only_member(archive: zipfile.ZipFile, path: str | Path) -> str:
    names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if len(names) != 1:
        listed = ", ".join(names[:8])
        raise DataError(path, f"holds {len(names)} files ({listed})", f"name one, as in {Path(path).name}!member")
    return names[0]


class _Checked(io.RawIOBase):
    """Raw stream that turns every way a file can be damaged into a DataError with the file and the place."""

    def __init__(self, inner: BinaryIO, where: str | Path) -> None:
        self._inner = inner
        self._where = where
        self._position = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        try:
            block = self._inner.read(len(buffer))
        except (ConnectionError, TimeoutError):
            raise
        except _DAMAGE as error:
            what = f"damaged or truncated after {self._position} decompressed bytes ({error})"
            raise DataError(self._where, what, "fetch or rebuild the file") from error
        buffer[: len(block)] = block
        self._position += len(block)
        return len(block)
