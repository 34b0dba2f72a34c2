"""Fetching one file from a folder or an http(s) address: verified by hash, there whole or not at all."""

import os
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from optical.artefacts import sha256_file
from optical.data.openers import decompressed
from optical.errors import DataError, InfrastructureError, UserError

MAX_BYTES = 4 << 30
_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 60


class Unreachable(Exception):
    """A place does not have the file, or cannot be asked; the next place is tried."""


def fetch(place: str | Path, destination: Path, sha256: str | None, inflate: bool) -> None:
    """Copy a file to its destination, verified.

    Args:
        place: a local path or an http(s) address.
        destination: final path; other processes see it whole or not at all.
        sha256: hash the stored (uncompressed) bytes must have; ``None`` accepts any.
        inflate: gunzip on the way.

    Raises:
        Unreachable: the place has no such file or does not answer.
        DataError: the bytes are damaged, too many, or have another hash.
        InfrastructureError: the destination cannot be written.
    """
    scratch = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        with _open_place(place) as raw, open(scratch, "wb") as out:
            _copy(decompressed(raw, place, ".gz" if inflate else ""), out, place)
        check(scratch, sha256, place, "delete or replace that copy, or set another OPTICAL_MIRROR")
        os.replace(scratch, destination)
    except (ConnectionError, TimeoutError, HTTPException) as error:
        raise Unreachable(f"broke off: {error!r}") from error
    except OSError as error:
        what = f"cannot be written ({error})"
        raise InfrastructureError(destination, what, "free space, or move the cache") from error
    finally:
        with suppress(OSError):
            scratch.unlink(missing_ok=True)


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


@contextmanager
def _open_place(place: str | Path) -> Iterator[BinaryIO]:
    try:
        opened = place.open("rb") if isinstance(place, Path) else _opener().open(place, timeout=_TIMEOUT_SECONDS)
    except (OSError, HTTPException, ValueError) as error:
        raise Unreachable(str(error)) from error
    with opened as stream:
        yield stream


def _opener() -> urllib.request.OpenerDirector:
    """An opener that speaks http and https alone: a redirect to any other scheme is refused."""
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _copy(stream: BinaryIO, out: BinaryIO, place: str | Path) -> None:
    copied = 0
    while block := stream.read(_BLOCK):
        copied += len(block)
        if copied > MAX_BYTES:
            raise DataError(place, f"more than {MAX_BYTES} bytes", "check what the mirror serves")
        out.write(block)
