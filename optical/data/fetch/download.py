"""Downloading over http(s) into a part file that an interrupted download leaves behind and the next one continues."""

import fcntl
import io
import json
import os
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError

from optical.artefacts import write_json
from optical.errors import DataError, InfrastructureError

_ATTEMPTS = 3
_BLOCK = 1 << 20
_TIMEOUT_SECONDS = 60
_BROKEN = (OSError, HTTPException)


class _BrokenOff(Exception):
    """The connection broke."""


class Unreachable(Exception):
    """A place does not have the file, or cannot be asked; the next place is tried."""


def download(address: str, part: Path, max_bytes: int) -> None:
    """Bring all bytes of an address into ``part``, continuing what is there when the server says it is the same file.

    Args:
        address: http or https.
        part: kept, with a note of its address, when the connection breaks.
        max_bytes: most bytes accepted.

    Raises:
        Unreachable: no answer, or it broke off each time.
        DataError: more than ``max_bytes``.
        InfrastructureError: ``part`` cannot be written.
    """
    error: Exception | None = None
    for _ in range(_ATTEMPTS):
        if _complete(address, part):
            return
        try:
            if _attempt(address, part, max_bytes):
                return
        except HTTPError as refusal:
            if refusal.code != 416 or not part.stat().st_size:
                raise Unreachable(str(refusal)) from refusal
            discard(part)
        except (*_BROKEN, _BrokenOff) as failure:
            error = failure
            if not part.stat().st_size:
                raise Unreachable(str(failure)) from failure
    raise Unreachable(f"broke off after {part.stat().st_size} bytes ({error or 'too few'}); the next run continues")


def discard(part: Path) -> None:
    """Empty a useless part file; a process that waits for its lock keeps waiting."""
    os.truncate(part, 0)
    _note_path(part).unlink(missing_ok=True)


def remove(part: Path) -> None:
    """Take a part file and its note away."""
    for path in (part, _note_path(part)):
        path.unlink(missing_ok=True)


@contextmanager
def locked(part: Path) -> Iterator[None]:
    """Lock the part file, so that two processes do not write it at once; meanwhile it exists, maybe empty."""
    while True:
        with open(part, "ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(held.fileno()), os.stat(part)):
                    yield
                    return


@contextmanager
def answer(address: str, headers: dict[str, str], method: str = "GET", timeout: float = _TIMEOUT_SECONDS) -> Iterator:
    """The response of an http or https address; a redirect to any other scheme is refused.

    Raises:
        HTTPError: the server refuses.
        OSError, HTTPException: no answer.
    """
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
    request = urllib.request.Request(address, headers=headers, method=method)
    with opener.open(request, timeout=timeout) as response:
        yield response


def _attempt(address: str, part: Path, max_bytes: int) -> bool:
    """One request; whether the part is whole after it."""
    note, have = _note(part), part.stat().st_size
    resumable = have and note.get("address") == address and note.get("validator")
    headers = {"Range": f"bytes={have}-", "If-Range": note["validator"]} if resumable else {}
    with answer(address, headers) as response, _writing(part), open(part, "r+b", buffering=0) as out:
        start = have if response.status == 206 and _starts_at(response, have) else 0
        out.truncate(start)
        out.seek(start)
        size = response.headers.get("Content-Length")
        total = start + int(size) if size else None
        note = {"address": address, "validator": _validator(response), "bytes": total}
        write_json(_note_path(part), note)
        for block in _blocks(response):
            if out.tell() + len(block) > max_bytes:
                raise DataError(address, f"more than {max_bytes} bytes", "check what is served there")
            _write(out, block)
        return total is None or out.tell() == total


def _blocks(response: HTTPResponse) -> Iterator[bytes]:
    """The response's bytes; a broken connection raises ``_BrokenOff``, unlike a disk that cannot be written."""
    while True:
        try:
            block = response.read(_BLOCK)
        except _BROKEN as error:
            raise _BrokenOff(str(error)) from error
        if not block:
            return
        yield block


def _write(out: io.FileIO, block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[out.write(left) :]


@contextmanager
def _writing(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        advice = "free space, or move the cache"
        raise InfrastructureError(part, f"cannot be written ({error})", advice) from error


def _complete(address: str, part: Path) -> bool:
    note = _note(part)
    return note.get("address") == address and note.get("bytes") == part.stat().st_size


def _validator(response: HTTPResponse) -> str | None:
    """A mark that is the same for the same bytes: a strong ETag, else the time of change."""
    tag = response.headers.get("ETag", "")
    return tag if tag.startswith('"') else response.headers.get("Last-Modified")


def _starts_at(response: HTTPResponse, have: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _note_path(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _note(part: Path) -> dict:
    try:
        return json.loads(_note_path(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
