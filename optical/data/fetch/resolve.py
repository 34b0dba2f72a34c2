"""Resolving a data set to verified local files: the cache, then a mirror, then the origin."""

import json
import logging
import os
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import sha256_file, write_json
from optical.data.fetch.download import Unreachable
from optical.data.fetch.place import check, fetch, place_of
from optical.data.registry.entry import BUILT_IN, HUB, MIRROR_ONLY, DataFile, DataSet
from optical.data.registry.families.demo import ARCHIVE
from optical.errors import DataError, InfrastructureError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Resolved:
    """A data set on this machine.

    Args:
        name: registry name, or the path the user gave.
        reader: the reader its files need.
        paths: in the reader's order, local or an address; ``archive!member`` for a member.
        sha256s: of each path's file, in the same order.
    """

    name: str
    reader: str
    paths: tuple[str | Path, ...]
    sha256s: tuple[str, ...]


def resolve(dataset: DataSet, cache: Path, mirror: str | None = None) -> Resolved:
    """Bring every file of a data set into the cache and verify it.

    Args:
        dataset: a registry entry.
        cache: directory of files fetched before.
        mirror: directory or ``file``/``http``/``https`` address tried before the origin.

    Raises:
        DataError: a file's hash differs from the registry's.
        InfrastructureError: no place has the file.
    """
    cache = Path(cache)
    if dataset.origin == BUILT_IN:
        files = [_unpacked(file, cache) for file in dataset.files]
    else:
        files = [_fetched(dataset, file, cache, mirror) for file in dataset.files]
    hashes = [_verified(dataset, file, path) for path, file in zip(files, dataset.files, strict=True)]
    paths = [_with_member(path, file) for path, file in zip(files, dataset.files, strict=True)]
    return Resolved(dataset.name, dataset.reader, tuple(paths), tuple(hashes))


def hashes_of(dataset: DataSet, cache: Path, mirror: str | None = None) -> dict[str, str | None]:
    """The hash of each file by its path in the origin; two states of a data set differ in them.

    A file that the registry does not pin is fetched and pinned for this, unless it is already.

    Raises:
        DataError, InfrastructureError: as ``resolve``.
    """
    unpinned = [file for file in dataset.files if file.sha256 is None]
    pins = {file.path: _pin(cached_path(dataset, file, cache)) for file in unpinned}
    if None in pins.values():
        resolve(dataset, cache, mirror)
        pins = {file.path: _pin(cached_path(dataset, file, cache)) for file in unpinned}
    return {file.path: file.sha256 for file in dataset.files} | pins


def cached_path(dataset: DataSet, file: DataFile, cache: Path) -> Path:
    """Where a fetched file is kept: ``cache/owner/repo/commit/path``, shared by every data set that names it."""
    origin = dataset.origin.removeprefix(HUB).removeprefix(MIRROR_ONLY).removeprefix("https://")
    return Path(cache) / origin / dataset.commit[:12] / file.path


def places(dataset: DataSet, file: DataFile, mirror: str | None) -> list[tuple[str | Path, bool]]:
    """Where a file may be fetched, in the order of trying, and whether it is gzipped there."""
    found = []
    if mirror:
        found.append((place_of(mirror, file.mirror), file.mirror.endswith(".gz") and not file.path.endswith(".gz")))
    if url := dataset.url(file):
        found.append((url, False))
    return found


def pin_path(path: Path) -> Path:
    """The note next to a file that the registry does not pin: its hash when it was first fetched, and its licence."""
    return path.with_name(f"{path.name}.pin.json")


def _with_member(path: Path, file: DataFile) -> Path:
    return Path(f"{path}!{file.member}") if file.member else path


def _verified(dataset: DataSet, file: DataFile, path: Path) -> str:
    """The file's hash: as the registry has it, or as it was when the file was first fetched."""
    pinned = file.sha256 is not None
    expected = file.sha256 if pinned else _pin(path)
    found = check(path, expected, path, "delete it; the next run brings it again")
    if not pinned and expected is None:
        note = {"sha256": found, "bytes": path.stat().st_size, "url": dataset.url(file), "licence": dataset.licence}
        write_json(pin_path(path), note)
        _log.warning("%s: %s had no hash in the registry; pinned as %s in %s", dataset.name, path.name, found, path)
    return found


def _pin(path: Path) -> str | None:
    """The hash a file was pinned with.

    Raises:
        DataError: the note is damaged.
    """
    note = pin_path(path)
    try:
        return json.loads(note.read_text(encoding="utf-8"))["sha256"]
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(note, f"no pin ({error!r})", "delete it and the file next to it") from None


def _fetched(dataset: DataSet, file: DataFile, cache: Path, mirror: str | None) -> Path:
    path = cached_path(dataset, file, cache)
    if path.is_file():
        return path
    tried = []
    for place, gzipped in places(dataset, file, mirror):
        try:
            fetch(place, path, file.sha256, gzipped)
        except Unreachable as error:
            tried.append(f"{place} ({error})")
        else:
            return path
    what = f"not in the cache {cache}, and unreachable at {'; '.join(tried) or 'any place'}"
    raise InfrastructureError(
        f"{dataset.name}: {file.path}", what, "check the network, or set OPTICAL_MIRROR to a directory or address"
    )


def _unpacked(file: DataFile, cache: Path) -> Path:
    """A file of the demo, taken from the package; a missing or outdated copy in the cache is written again."""
    path = cache / "demo" / file.path
    if not (path.is_file() and sha256_file(path) == file.sha256):
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}")
        try:
            with zipfile.ZipFile(ARCHIVE) as archive:
                scratch.write_bytes(archive.read(file.path))
            os.replace(scratch, path)
        finally:
            scratch.unlink(missing_ok=True)
    return path
