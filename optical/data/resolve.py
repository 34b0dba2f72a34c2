"""Resolving a data set to verified local files: the cache, then a mirror, then the origin."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import sha256_file
from optical.data.entry import GENERATOR, DataFile, DataSet
from optical.data.fetch import Unreachable, check, fetch, place_of
from optical.errors import InfrastructureError


@dataclass(frozen=True)
class Resolved:
    """A data set on this machine.

    Args:
        name: registry name, or the path the user gave.
        reader: the reader its files need.
        paths: in the reader's order; ``archive.zip!member`` for a zip member.
        sha256s: of each path's file, in the same order.
    """

    name: str
    reader: str
    paths: tuple[Path, ...]
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
    if dataset.origin == GENERATOR:
        paths = _generated(dataset, Path(cache))
    else:
        paths = [_fetched(dataset, file, Path(cache), mirror) for file in dataset.files]
    advice = "delete it; the next run brings it again"
    hashes = [check(path, file.sha256, path, advice) for path, file in zip(paths, dataset.files, strict=True)]
    return Resolved(dataset.name, dataset.reader, tuple(paths), tuple(hashes))


def cached_path(dataset: DataSet, file: DataFile, cache: Path) -> Path:
    """Where a fetched file is kept: ``cache/owner/repo/commit/path``, shared by every data set that names it."""
    return Path(cache) / dataset.origin / dataset.commit[:12] / file.path


def _fetched(dataset: DataSet, file: DataFile, cache: Path, mirror: str | None) -> Path:
    path = cached_path(dataset, file, cache)
    if path.is_file():
        return path
    inflate = file.mirror.endswith(".gz") and not file.path.endswith(".gz")
    places = [(place_of(mirror, file.mirror), inflate)] if mirror else []
    places.append((dataset.url(file), False))
    tried = []
    for place, gzipped in places:
        try:
            fetch(place, path, file.sha256, gzipped)
        except Unreachable as error:
            tried.append(f"{place} ({error})")
        else:
            return path
    what = f"not in the cache {cache}, and unreachable at {'; '.join(tried)}"
    raise InfrastructureError(
        f"{dataset.name}: {file.path}", what, "check the network, or set OPTICAL_MIRROR to a directory or address"
    )


def _generated(dataset: DataSet, cache: Path) -> list[Path]:
    """Files of the embedded generator; unpinned or outdated ones are made again."""
    folder = cache / GENERATOR / "demo"
    paths = [folder / file.path for file in dataset.files]
    if all(_as_pinned(path, file) for path, file in zip(paths, dataset.files, strict=True)):
        return paths
    from optical.data import demo

    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".demo-", dir=folder.parent) as scratch:
        demo.write(Path(scratch), seed=0)
        for made in Path(scratch).iterdir():
            os.replace(made, folder / made.name)
    return paths


def _as_pinned(path: Path, file: DataFile) -> bool:
    return file.sha256 is not None and path.is_file() and sha256_file(path) == file.sha256
