"""Sources of bitext as a user names them: a registry name, or the paths or addresses of files."""

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from optical.artefacts import sha256_file
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.readers import formats, reader_by_suffix
from optical.data.fetch.resolve import Resolved, resolve
from optical.data.files import remote
from optical.data.files.archives import is_archive, split_member
from optical.data.files.inflate import format_suffix
from optical.data.files.open import archive_members, member_name
from optical.data.registry.datasets import dataset, datasets
from optical.data.registry.entry import DataSet
from optical.data.registry.languages import canonical, language
from optical.errors import DataError, UserError


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
        spec: a registry name; or a ``.tsv``, ``.csv``, ``.jsonl``, ``.tmx``, ``.parquet`` or (SQuAD) ``.json`` file,
            plain or with ``.gz``, ``.bz2``, ``.xz`` or ``.zst``, or in a zip or tar archive (``x.zip!member``; a single
            member is implied); or two Moses files, ``a.swa+a.eng``; or an archive that holds a file of each language.
            Paths may be ``s3``, ``gs`` or ``hf`` addresses. A reader may be named first: ``webfaq:eng.jsonl.gz``;
            ``tsv``, ``csv``, ``parquet`` and ``jsonl`` also with the columns of source and target, by number from 1
            or by name: ``tsv:4,3:pairs.tsv``, ``parquet:swahili,english:x.parquet``.
            A path may end in its query language, as ``languages.known`` understands it: ``pairs.tsv@som``.

    Raises:
        UserError: neither a registered name nor a supported file name.
        DataError: a file is missing.
    """
    if spec in datasets():
        return dataset(spec)
    reader, path = _named_reader(split_language(spec)[0])
    path = _local(path)
    if moses := _moses_files(path):
        return _resolved(spec, "moses", moses)
    if not reader and not _looks_like_path(path):
        if path in datasets():
            raise UserError(spec, "names the language of a registered data set, which has its own", f"give {path}")
        return dataset(path)
    reader = reader or reader_by_suffix().get(_format_suffix(_existing(path))) or _moses_archive(path)
    if reader is None:
        known = ", ".join(reader_by_suffix())
        raise UserError(spec, "its name tells no known format", f"use {known}, or source+target for Moses")
    return _resolved(spec, reader, (_existing(path),))


def understood(config: BitextConfig) -> BitextConfig:
    """The configuration with its languages by their tags: ``sw``, ``swh_Latn`` and ``Swahili`` are ``swa``.

    Raises:
        UserError: an unknown language, or a registered data set of another one.
    """
    source = config.source if config.source == "*" else language(config.source, "bitext.source").tag
    target = language(config.target, "bitext.target").tag
    for spec in config.datasets:
        source_language(spec, source)
        if spec in datasets():
            _agree(spec, "target", target, dataset(spec).target)
    return replace(config, source=source, target=target)


def source_language(spec: str, wanted: str) -> str:
    """The query language of a source: its own suffix, else ``wanted``; for ``*`` what the registry says.

    Raises:
        UserError: the language is ``*`` and neither suffix nor registry names one, or the registry names another.
    """
    if own := split_language(spec)[1]:
        return own
    if spec in datasets():
        registered = dataset(spec).source
        if wanted == "*":
            return registered
        _agree(spec, "source", wanted, registered)
    if wanted == "*":
        raise UserError(spec, "names no language, and bitext.source is *", f"give {spec}@ and its ISO 639-3 code")
    return wanted


def split_language(spec: str) -> tuple[str, str | None]:
    """A source without its language suffix, and the language's tag.

    >>> split_language("pairs.tsv@so")
    ('pairs.tsv', 'som')

    Raises:
        UserError: the suffix is no language, and no file has it in its name.
    """
    path, at, suffix = spec.rpartition("@")
    if not at or not re.fullmatch("[A-Za-z][A-Za-z _-]*", suffix) or Path(spec).exists():
        return spec, None
    return path, language(suffix, f"{spec}: language").tag


def _agree(spec: str, side: str, wanted: str, registered: str) -> None:
    if canonical(wanted) != registered:
        advice = f"set bitext.{side} {registered}" + (", or '*' for several" if side == "source" else "")
        raise UserError(f"bitext.{side}", f"is {wanted}, and that of {spec} is {registered}", advice)


def _named_reader(spec: str) -> tuple[str | None, str]:
    """A reader named first, with its columns if it names any (``tsv:3,4``), and the path."""
    name, colon, path = spec.partition(":")
    if not colon or name not in formats() or path.startswith("//"):
        return None, spec
    columns, colon, rest = path.partition(":")
    if colon and "," in columns and "/" not in columns and not rest.startswith("//"):
        return f"{name}:{columns}", rest
    return name, path


def _local(spec: str) -> str:
    """The path of a ``file`` address; an http address is refused, because nothing tells when its bytes change."""
    if not spec.startswith(("file://", "http://", "https://")):
        return spec
    parts = urlsplit(spec)
    if parts.scheme == "file":
        return unquote(parts.path)
    raise UserError(spec, f"a {parts.scheme} address as a source", "download it first and give the local path")


def _moses_files(spec: str) -> tuple[str | Path, ...] | None:
    """The two files of ``source+target``; a plus sign may also be part of a name, so files decide."""
    if "+" not in spec or _is_file(spec):
        return None
    pieces = spec.split("+")
    splits = [("+".join(pieces[:cut]), "+".join(pieces[cut:])) for cut in range(1, len(pieces))]
    for pair in splits:
        if all(map(_is_file, pair)):
            return tuple(map(_existing, pair))
    return tuple(_existing(side) for side in splits[0])


def _moses_archive(path: str) -> str | None:
    """Moses, for an archive of several files without a named member: the languages choose the two later."""
    archive, member = split_member(path)
    return "moses" if member is None and is_archive(archive) and len(archive_members(archive)) > 1 else None


def _looks_like_path(spec: str) -> bool:
    return any(mark in spec for mark in "/.!\\") or Path(spec).exists()


def _is_file(spec: str) -> bool:
    stored, _ = split_member(spec)
    return remote.exists(stored) if remote.is_remote(stored) else Path(stored).is_file()


def _existing(spec: str) -> str | Path:
    stored, _ = split_member(spec)
    if not _is_file(spec):
        what = "is a folder, and bitext comes in files" if Path(stored).is_dir() else "no such file"
        raise DataError(stored, what, "check the path, or use a registry name")
    return spec if remote.is_remote(spec) else Path(spec)


def _format_suffix(path: str | Path) -> str:
    stored, member = split_member(path)
    if member is None and is_archive(stored) and len(archive_members(stored)) != 1:
        return ""
    return format_suffix(member_name(path))


def _resolved(spec: str, reader: str, paths: tuple[str | Path, ...]) -> Resolved:
    stored = [split_member(path)[0] for path in paths]
    hashes = (remote.identity(path) if remote.is_remote(path) else sha256_file(Path(path)) for path in stored)
    return Resolved(spec, reader, paths, tuple(hashes))
