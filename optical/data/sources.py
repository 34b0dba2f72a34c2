"""Sources of bitext as a user names them: a registry name, or paths of local files."""

from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from optical.artefacts import sha256_file
from optical.data.entry import DataSet
from optical.data.openers import member_name, split_member
from optical.data.registry import dataset, datasets
from optical.data.resolve import Resolved, resolve
from optical.errors import DataError, UserError

_READERS = {".tsv": "tsv", ".jsonl": "jsonl", ".tmx": "tmx"}


def open_source(spec: str, cache: Path, mirror: str | None = None) -> Resolved:
    """Local, verified files of a bitext source, fetched when it is a registry name.

    Args:
        spec: see ``parse_source``.
        cache: directory of files fetched before.
        mirror: directory or address tried before the origin.
    """
    parsed = parse_source(spec)
    return parsed if isinstance(parsed, Resolved) else resolve(parsed, cache, mirror)


def parse_source(spec: str) -> DataSet | Resolved:
    """What a source specification means.

    Args:
        spec: a registry name; or ``pairs.tsv``, ``pairs.jsonl`` or ``corpus.tmx``, plain or with ``.gz`` or ``.zst``,
            or in a zip (``x.zip!member``; a single member is implied); or two Moses files, ``a.swa+a.eng``.

    Raises:
        UserError: neither a registered name nor a supported file name.
        DataError: a file is missing.
    """
    if spec in datasets():
        return dataset(spec)
    spec = _local(spec)
    if moses := _moses_files(spec):
        return _resolved(spec, "moses", moses)
    if not _looks_like_path(spec):
        return dataset(spec)
    path = _existing(spec)
    reader = _READERS.get(_format_suffix(path))
    if reader is None:
        raise UserError(spec, "its name tells no known format", "use .tsv, .jsonl, .tmx, or source+target for Moses")
    return _resolved(spec, reader, (path,))


def _local(spec: str) -> str:
    if "://" not in spec:
        return spec
    parts = urlsplit(spec)
    if parts.scheme == "file":
        return unquote(parts.path)
    raise UserError(spec, f"a {parts.scheme} address as a source", "download it first and give the local path")


def _moses_files(spec: str) -> tuple[Path, ...] | None:
    """The two files of ``source+target``; a plus sign may also be part of a name, so files decide."""
    if "+" not in spec or split_member(spec)[0].is_file():
        return None
    pieces = spec.split("+")
    splits = [("+".join(pieces[:cut]), "+".join(pieces[cut:])) for cut in range(1, len(pieces))]
    for pair in splits:
        if all(split_member(side)[0].is_file() for side in pair):
            return tuple(Path(side) for side in pair)
    return tuple(_existing(side) for side in splits[0])


def _looks_like_path(spec: str) -> bool:
    return any(mark in spec for mark in "/.!\\") or Path(spec).exists()


def _existing(spec: str) -> Path:
    archive, _ = split_member(spec)
    if not archive.is_file():
        raise DataError(archive, "no such file", "check the path, or use a registry name")
    return Path(spec)


def _format_suffix(path: Path) -> str:
    name = PurePosixPath(member_name(path))
    return (name.with_suffix("") if name.suffix in (".gz", ".zst") else name).suffix


def _resolved(spec: str, reader: str, paths: tuple[Path, ...]) -> Resolved:
    hashes = tuple(sha256_file(split_member(path)[0]) for path in paths)
    return Resolved(spec, reader, paths, hashes)
