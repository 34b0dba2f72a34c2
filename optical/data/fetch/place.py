"""Fetching one file from a folder or an http(s) address, verified by hash. It appears whole or not at all."""

import os
import uuid
from contextlib import suppress
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from optical.artefacts import sha256_file
from optical.data.fetch.download import Unreachable, download, locked, remove
from optical.data.files.inflate import Metered, inflated
from optical.errors import DataError, InfrastructureError, UserError

MAX_BYTES = 64 << 30
_BLOCK = 1 << 20
_ADVICE = "delete or replace that copy, or set another OPTICAL_MIRROR"


def fetch(place: str | Path, destination: Path, sha256: str | None, inflate: bool, max_bytes: int = MAX_BYTES) -> None:
    """Copy a file to its destination, verified. A download that breaks off is continued by the next call.

    Args:
        place: a local path or an http(s) address.
        destination: final path; other processes see it whole or not at all.
        sha256: hash the stored (uncompressed) bytes must have; ``None`` accepts any.
        inflate: whether the place has it gzipped.
        max_bytes: most bytes accepted.

    Raises:
        Unreachable: the place has no such file or does not answer.
        DataError: the bytes are damaged, too many, or have another hash.
        InfrastructureError: the destination cannot be written.
    """
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(place, Path):
            _copied(place, place, destination, sha256, inflate, max_bytes)
        else:
            _downloaded(place, destination, sha256, inflate, max_bytes)
    except OSError as error:
        what = f"cannot be written ({error})"
        raise InfrastructureError(destination, what, "free space, or move the cache") from error


def check(path: Path, sha256: str | None, where: str | Path, advice: str) -> str:
    """The file's sha256, which must be the expected one unless none is expected.

    Raises:
        DataError: it differs.
    """
    found = sha256_file(path)
    if sha256 is not None and found != sha256:
        raise DataError(where, f"sha256 {found}, the registry promises {sha256}", advice)
    return found


def place_of(base: str, name: str) -> str | Path:
    """The place of a file under a mirror: a directory, or a ``file``, ``http`` or ``https`` address.

    Raises:
        UserError: another scheme.
    """
    parts = urlsplit(base)
    if parts.scheme in ("http", "https"):
        return f"{base.rstrip('/')}/{name}"
    if parts.scheme == "file":
        return Path(unquote(parts.path)) / name
    if "://" in base:
        raise UserError(f"OPTICAL_MIRROR={base}", f"scheme {parts.scheme!r}", "use a directory, file, http or https")
    return Path(base) / name


def _downloaded(address: str, destination: Path, sha256: str | None, inflate: bool, max_bytes: int) -> None:
    part = destination.with_name(f".{destination.name}.part")
    with locked(part):
        keep = False
        try:
            if destination.is_file():
                return
            download(address, part, max_bytes)
            if inflate:
                _copied(part, address, destination, sha256, inflate, max_bytes)
            else:
                check(part, sha256, address, _ADVICE)
                os.replace(part, destination)
        except (Unreachable, KeyboardInterrupt):
            keep = part.stat().st_size > 0
            raise
        finally:
            if not keep:
                remove(part)


def _copied(
    source: Path, where: str | Path, destination: Path, sha256: str | None, inflate: bool, max_bytes: int
) -> None:
    scratch = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        with _opened(source) as raw, open(scratch, "wb") as out:
            meter = Metered(raw)
            _copy(inflated(BufferedReader(meter), where, ".gz" if inflate else "", meter), out, where, max_bytes)
        check(scratch, sha256, where, _ADVICE)
        os.replace(scratch, destination)
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


def _opened(source: Path) -> BinaryIO:
    try:
        return source.open("rb")
    except OSError as error:
        raise Unreachable(str(error)) from error


def _copy(stream: BinaryIO, out: BinaryIO, where: str | Path, max_bytes: int) -> None:
    copied = 0
    while block := stream.read(_BLOCK):
        copied += len(block)
        if copied > max_bytes:
            raise DataError(where, f"more than {max_bytes} bytes", "check what the mirror serves")
        out.write(block)
