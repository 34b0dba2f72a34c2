"""Artefacts: directories that are written atomically.

An artefact is a directory with a ``manifest.json``, which holds its kind, the fingerprint of its inputs, the versions
of its makers and libraries, and the sha256 of every file. It is written to a temporary directory, synced and renamed,
so a reader never sees a partial one. Shards, checkpoints, indexes and runs all use this protocol.
"""

import fcntl
import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from optical.errors import DataError, UserError
from optical.made_with import made_with

FORMAT_VERSION = 2
MANIFEST = "manifest.json"
_KEYS = {"format", "kind", "fingerprint", "info", "files", "seal"}
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Artefact:
    """A verified directory: its path, kind, fingerprint and facts."""

    path: Path
    kind: str
    fingerprint: str
    info: dict = field(default_factory=dict)

    def file(self, name: str) -> Path:
        """Path of the file ``name`` inside the artefact."""
        return self.path / name


class Fingerprint(str):
    """Identity of an artefact, 64 hex digits, computed from its content and from the versions of its makers.

    ``content`` is the identity without versions. ``versions`` maps the kind of this artefact, and of every artefact it
    is made from, to the version of its maker. Raising a version changes this fingerprint and all that depend on it.
    """

    kind: str
    content: str
    versions: dict[str, int]

    @classmethod
    def of(cls, kind: str, version: int | None, *parts: object) -> "Fingerprint":
        """The identity of what version ``version`` of a kind's maker makes from ``parts``.

        Args:
            kind: what is made.
            version: of its maker; None for given data, which no version of this project made.
            parts: configuration and hashes, and the fingerprints of the artefacts it is made from.

        >>> one, two = Fingerprint.of("bitext", 1, "maji"), Fingerprint.of("bitext", 2, "maji")
        >>> one == two, one.content == two.content, Fingerprint.of("tokens", 1, two).versions
        (False, True, {'bitext': 2, 'tokens': 1})
        """
        versions = {} if version is None else {kind: version}
        for part in parts:
            versions |= getattr(part, "versions", {})
        content = fingerprint([kind, *(getattr(part, "content", part) for part in parts)])
        made = cls(fingerprint([content, versions]) if versions else content)
        made.kind, made.content, made.versions = kind, content, dict(sorted(versions.items()))
        return made


def fingerprint(content: object) -> str:
    """Identity of any JSON-serialisable content: sha256 of its canonical JSON, as 64 hex digits.

    >>> fingerprint({"a": 1, "b": 2}) == fingerprint({"b": 2, "a": 1})
    True
    """
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Sha256 of a file's bytes, read in blocks of one MiB."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def writing(path: Path, kind: str, made_from: str, info: Mapping | None = None) -> Iterator[Path]:
    """Write an artefact atomically: yield a temporary directory, then commit it to ``path``.

    If the body raises, ``path`` is unchanged. An existing artefact is replaced once the new one is complete.

    Args:
        path: final place of the artefact.
        kind: what the directory is, e.g. ``"tokens"`` or ``"checkpoint"``.
        made_from: fingerprint of the configuration and inputs that made it.
        info: small JSON facts to keep in the manifest; the body may still fill a dict given here.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.parent / f".tmp-{path.name}-{uuid.uuid4().hex[:8]}"
    scratch.mkdir()
    try:
        yield scratch
        _commit(scratch, path, kind, made_from, dict(info) if info else {})
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of an artefact; another process that makes the same one waits."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / f".lock-{path.name}").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read(path: Path, kind: str, made_from: str | None = None, verify: bool = True) -> Artefact:
    """Open an artefact; check its kind, its fingerprint if given, and (if ``verify``) every hash.

    Raises:
        DataError: missing, uncommitted, damaged, of another kind, or of another fingerprint.
    """
    path = Path(path)
    if not path.is_dir():
        raise DataError(path, f"no {kind} here", "run the verb that makes it")
    try:
        manifest = json.loads((path / MANIFEST).read_text())
    except FileNotFoundError:
        raise DataError(
            path, "directory without manifest.json, so it was never committed", "delete it and rerun"
        ) from None
    except ValueError:
        raise DataError(path / MANIFEST, "not valid JSON", "delete the directory and rerun") from None
    _check(manifest, path, kind, made_from)
    if verify:
        _verify(manifest, path)
    return Artefact(path, kind, manifest["fingerprint"], manifest["info"])


def exists(path: Path, kind: str, made_from: str) -> bool:
    """Whether ``path`` holds a complete artefact of this kind and fingerprint, with correct hashes."""
    try:
        read(path, kind, made_from)
    except DataError:
        return False
    return True


def other_version(folder: Path, made_from: Fingerprint) -> tuple[str, dict[str, int]] | None:
    """Name and versions of an artefact in ``folder`` that has the same content but other versions of its makers."""
    kind = made_from.kind
    for path in sorted([*folder.glob(f"{kind}-*/{MANIFEST}"), *folder.glob(f"{kind}-*/*/{MANIFEST}")]):
        try:
            manifest = json.loads(path.read_text())
        except (OSError, ValueError):
            # Damage is reported when that artefact is read.
            continue
        if manifest.get("content") == made_from.content and manifest["fingerprint"] != made_from:
            return path.relative_to(folder).parts[0], manifest["versions"]
    return None


def version_changes(old: Mapping[str, int], new: Mapping[str, int]) -> str:
    """Which makers changed between two artefacts of the same content.

    >>> version_changes({"bitext": 1, "tokens": 1}, {"bitext": 2, "tokens": 1})
    'version 1 of bitext (now 2)'
    """
    return " and ".join(
        f"version {old.get(kind, 'none')} of {kind} (now {version})"
        for kind, version in new.items()
        if old.get(kind) != version
    )


def write_json(path: Path, content: object) -> None:
    """Write JSON with sorted keys, atomically (see ``write_whole``)."""
    write_whole(path, (json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) + "\n").encode())


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file atomically, so that a reader sees either the old or the new content; return its path.

    Raises:
        UserError: the path is a directory.
    """
    path = Path(path)
    if path.is_dir():
        raise UserError(path, "is a directory, and a file goes here", "give the path of a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".tmp-{path.name}-{uuid.uuid4().hex[:8]}")
    try:
        scratch.write_bytes(content)
        _sync(scratch)
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)
    _sync(path.parent)
    return path


def _commit(scratch: Path, path: Path, kind: str, made_from: str, info: dict) -> None:
    files = sorted(file for file in scratch.rglob("*") if file.is_file())
    hashes = {}
    for file in files:
        _sync(file)
        hashes[file.relative_to(scratch).as_posix()] = {"sha256": sha256_file(file), "bytes": file.stat().st_size}
    manifest = {"format": FORMAT_VERSION, "kind": kind, "fingerprint": made_from, "info": info, "files": hashes}
    if isinstance(made_from, Fingerprint):
        manifest |= {"content": made_from.content, "versions": made_from.versions}
    manifest["made_with"] = made_with()
    write_json(scratch / MANIFEST, manifest | {"seal": _seal(manifest)})
    if path.exists():
        old = path.parent / f".old-{path.name}-{uuid.uuid4().hex[:8]}"
        os.rename(path, old)
        try:
            os.rename(scratch, path)
        except OSError:
            os.rename(old, path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(scratch, path)
    _sync(path.parent)


def _check(manifest: object, path: Path, kind: str, made_from: str | None) -> None:
    found = manifest.get("format", FORMAT_VERSION) if isinstance(manifest, dict) else FORMAT_VERSION
    if found != FORMAT_VERSION:
        raise DataError(path / MANIFEST, f"format {found}, this version reads {FORMAT_VERSION}", "rebuild it")
    if not isinstance(manifest, dict) or not manifest.keys() >= _KEYS:
        raise DataError(path / MANIFEST, f"lacks one of {', '.join(sorted(_KEYS))}", "delete the directory and rerun")
    if manifest["seal"] != _seal(manifest):
        raise DataError(path / MANIFEST, "was changed after it was written", "delete the directory and rerun")
    if manifest["kind"] != kind:
        raise DataError(path, f"holds a {manifest['kind']}, not a {kind}", "give the right directory")
    if made_from is not None and manifest["fingerprint"] != made_from:
        raise DataError(path, f"made from {manifest['fingerprint'][:12]}, not from {made_from[:12]}", "rebuild it")


def _seal(manifest: Mapping) -> str:
    """Sha256 of all other fields of a manifest."""
    content = json.loads(json.dumps({key: value for key, value in manifest.items() if key != "seal"}))
    return fingerprint(content)


def _verify(manifest: dict, path: Path) -> None:
    for name, expected in manifest["files"].items():
        file = path / name
        if not file.is_file():
            raise DataError(file, "named in the manifest but missing", "delete the directory and rerun")
        if file.stat().st_size != expected.get("bytes") or sha256_file(file) != expected.get("sha256"):
            raise DataError(file, "its bytes differ from the manifest's sha256", "delete the directory and rerun")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
