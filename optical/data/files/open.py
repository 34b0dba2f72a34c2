"""Opening data files: local or remote, compressed or in an archive, as one bounded, checked byte stream."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path, PurePosixPath
from shutil import copyfileobj
from typing import BinaryIO

from optical.data.files.archives import is_archive, member_names, only_member, open_member, split_member
from optical.data.files.encodings import as_text
from optical.data.files.inflate import BLOCK, BOUNDS, CODECS, Bounds, Metered, inflated
from optical.data.files.remote import is_remote, open_remote
from optical.errors import DataError

BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class TooLong:
    """Takes the place of a line that is longer than the bound, so that the lines behind it keep their numbers."""

    bytes: int


@contextmanager
def open_bytes(path: str | Path, bounds: Bounds = BOUNDS) -> Iterator[BufferedReader]:
    """Open a data file as a buffered stream of its text in UTF-8, decompressed (see ``encodings.as_text``).

    Args:
        path: a local path or an ``s3``, ``gs`` or ``hf`` address; plain, ``.gz``, ``.bz2``, ``.xz`` or ``.zst``; or
            ``archive!member`` with a zip or tar archive, where a single member is implied.
        bounds: how far it may inflate.

    Raises:
        DataError: missing, damaged or truncated file (also while the stream is read), a decompression bomb, an
            unsafe member, or text in another encoding.
        InfrastructureError: a store that does not answer.
    """
    with _unpacked(path, bounds) as stream:
        yield as_text(stream, path)


@contextmanager
def open_seekable(path: str | Path) -> Iterator[BinaryIO]:
    """Open a data file for reading anywhere, as it is; what is compressed or in an archive goes to a temporary file.

    Raises:
        DataError, InfrastructureError: as ``open_bytes``.
    """
    archive, _ = split_member(path)
    if not is_archive(archive) and PurePosixPath(archive).suffix not in CODECS:
        with _stored(archive) as (raw, _):
            yield raw
        return
    with _unpacked(path) as stream, tempfile.TemporaryFile() as spooled:
        copyfileobj(stream, spooled, BLOCK)
        spooled.seek(0)
        yield spooled


@contextmanager
def _unpacked(path: str | Path, bounds: Bounds = BOUNDS) -> Iterator[BufferedReader]:
    archive, _ = split_member(path)
    name = member_name(path)
    suffix = PurePosixPath(name).suffix
    with _stored(archive, bounds) as (raw, meter):
        if is_archive(archive):
            with open_member(raw, path, name, meter) as inner:
                yield inflated(inner, path, suffix, meter)
        else:
            yield inflated(raw, path, suffix, meter)


def lines(stream: BinaryIO, max_bytes: int) -> Iterator[bytes | TooLong]:
    r"""The physical lines of a stream: split on ``\n`` only, one trailing ``\r`` and a leading BOM removed.

    Unicode separators (U+2028, U+0085, form feed) stay inside their line; a missing final newline is no difference.

    Args:
        stream: decompressed bytes.
        max_bytes: longest line; a longer one becomes a ``TooLong``, in bounded memory.
    """
    first = True
    while line := stream.readline(max_bytes + 2):
        length = len(line)
        if not line.endswith(b"\n") and length == max_bytes + 2:
            length += _skip_line(stream)
        line = line.removesuffix(b"\n").removesuffix(b"\r")
        yield TooLong(length) if len(line) > max_bytes else line.removeprefix(BOM) if first else line
        first = False


def text_lines(path: str | Path, max_bytes: int) -> Iterator[tuple[int, str]]:
    """The lines of a text file with their numbers from 1, for files in which no line may be bad.

    Raises:
        DataError: a line is too long or not UTF-8, or the file is missing or damaged.
    """
    with open_bytes(path) as stream:
        for number, line in enumerate(lines(stream, max_bytes), start=1):
            if isinstance(line, TooLong):
                raise DataError(f"{path}, line {number}", f"{line.bytes} bytes, over {max_bytes}", "split the text")
            try:
                yield number, line.decode("utf-8")
            except UnicodeDecodeError as error:
                advice = "repair the line, or convert the file with iconv"
                raise DataError(f"{path}, line {number}", f"not UTF-8 ({error.reason})", advice) from None


def member_name(path: str | Path) -> str:
    """The name that a file's format is known by: the member's for an archive, else the file's own.

    Raises:
        DataError: the archive is damaged, or does not say which member is meant.
    """
    archive, member = split_member(path)
    if member is not None or not is_archive(archive):
        return member or PurePosixPath(archive).name
    return only_member(path, archive_members(archive))


def archive_members(archive: str | Path) -> list[str]:
    """The names of the files in an archive.

    Raises:
        DataError: it is missing or damaged.
    """
    with _stored(str(archive)) as (raw, meter):
        return member_names(raw, archive, meter)


@contextmanager
def _stored(path: str, bounds: Bounds = BOUNDS) -> Iterator[tuple[BinaryIO, Metered]]:
    """A file as it is stored, and the counter of the bytes read of it."""
    if is_remote(path):
        with open_remote(path) as stream:
            yield _metered(stream, bounds)
        return
    try:
        opened = open(path, "rb")  # noqa: SIM115 - closed by the `with` below, outside this try
    except OSError as error:
        raise DataError(path, f"cannot be opened ({error.strerror})", "check the path") from None
    with opened as stream:
        yield _metered(stream, bounds)


def _metered(stream: BinaryIO, bounds: Bounds) -> tuple[BinaryIO, Metered]:
    meter = Metered(stream, bounds)
    return BufferedReader(meter, BLOCK), meter


def _skip_line(stream: BinaryIO) -> int:
    skipped = 0
    while chunk := stream.readline(BLOCK):
        skipped += len(chunk)
        if chunk.endswith(b"\n"):
            break
    return skipped
