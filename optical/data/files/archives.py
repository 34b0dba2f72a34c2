"""Members of zip and tar archives, read in place: nothing is ever extracted to disk."""

import re
import tarfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO

from optical.data.files.inflate import CODECS, DAMAGE, Metered, inflated
from optical.errors import DataError

_ARCHIVE = r".+?\.(?:zip|tgz|tar(?:\.(?:gz|bz2|xz|zst))?)"
_MEMBER = re.compile(rf"({_ARCHIVE})!(.+)", flags=re.DOTALL)
_SHOWN = 8


def split_member(path: str | Path) -> tuple[str, str | None]:
    """Split ``archive.zip!member`` into the archive and the member's name (``None`` when no member is named)."""
    found = _MEMBER.fullmatch(str(path))
    if found is None or Path(path).exists():
        return str(path), None
    return found[1], found[2]


def is_archive(path: str | Path) -> bool:
    """Whether a name is that of a zip or tar archive."""
    return "!" not in str(path) and re.fullmatch(_ARCHIVE, str(path), flags=re.DOTALL) is not None


@contextmanager
def open_member(raw: BinaryIO, path: str | Path, name: str, meter: Metered) -> Iterator[IO[bytes]]:
    """The bytes of an archive's member, as stored.

    Args:
        raw: the archive, seekable.
        path: the archive with the member, as the user gave it.
        name: the member's name.
        meter: counts the bytes read of the archive.

    Raises:
        DataError: unsafe or absent member, or a damaged archive.
    """
    if name.startswith(("/", "\\")) or ".." in PurePosixPath(name.replace("\\", "/")).parts:
        raise DataError(path, f"unsafe member name {name!r}", "rebuild the archive with relative names")
    opener = _zip_member if split_member(path)[0].endswith(".zip") else _tar_member
    with opener(raw, path, name, meter) as found:
        yield found


def member_names(raw: BinaryIO, path: str | Path, meter: Metered) -> list[str]:
    """The names of an archive's files; folders, links and the extra files of macOS are left out.

    Raises:
        DataError: a damaged archive.
    """
    if split_member(path)[0].endswith(".zip"):
        with _readable(path):
            names = [info.filename for info in zipfile.ZipFile(raw).infolist() if not info.is_dir()]
        return [name for name in names if not name.startswith("__MACOSX/")]
    with _tar(raw, path, meter) as archive:
        return [info.name for info in archive if info.isreg()]


def only_member(path: str | Path, names: list[str]) -> str:
    """The name of an archive's single file.

    Raises:
        DataError: it has none, or several.
    """
    if len(names) != 1:
        listed = ", ".join(names[:_SHOWN])
        raise DataError(path, f"holds {len(names)} files ({listed})", f"name one, as in {Path(path).name}!member")
    return names[0]


@contextmanager
def _zip_member(raw: BinaryIO, path: str | Path, name: str, _meter: Metered) -> Iterator[IO[bytes]]:
    with _readable(path):
        archive = zipfile.ZipFile(raw)
        if name not in archive.namelist():
            raise _absent(path, name, archive.namelist())
        opened = archive.open(name)
    with opened as inner:
        yield inner


@contextmanager
def _tar_member(raw: BinaryIO, path: str | Path, name: str, meter: Metered) -> Iterator[IO[bytes]]:
    with _tar(raw, path, meter) as archive:
        seen = []
        for info in archive:
            if info.name == name and (member := archive.extractfile(info) if info.isreg() else None):
                yield member
                return
            seen.append(info.name)
        raise _absent(path, name, seen)


@contextmanager
def _tar(raw: BinaryIO, path: str | Path, meter: Metered) -> Iterator[tarfile.TarFile]:
    """The archive as a stream from its beginning: nothing behind the wanted member is read."""
    raw.seek(0)
    suffix = PurePosixPath(split_member(path)[0]).suffix
    stream = inflated(raw, path, ".gz" if suffix == ".tgz" else suffix if suffix in CODECS else "", meter)
    with _readable(path):
        archive = tarfile.open(fileobj=stream, mode="r|")  # noqa: SIM115 - closed by the `with` below
    with archive:
        try:
            yield archive
        except tarfile.TarError as error:
            raise _unreadable(path, error) from error


@contextmanager
def _readable(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (*DAMAGE, NotImplementedError, RuntimeError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: str | Path, error: Exception) -> DataError:
    kind = "zip" if split_member(path)[0].endswith(".zip") else "tar"
    return DataError(path, f"unreadable {kind} ({error})", "fetch it again, or unpack it first")


def _absent(path: str | Path, name: str, names: list[str]) -> DataError:
    return DataError(path, f"has no member {name!r}", f"it holds: {', '.join(names[:_SHOWN])}")
