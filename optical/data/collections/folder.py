"""Which files of a user's folder are passages, topics and qrels: our own names, BEIR's, MIRACL's and NeuCLIR's."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import sha256_file
from optical.data.bitext.sources import split_language
from optical.data.collections.rows import JSON_LINES
from optical.data.files.inflate import format_suffix
from optical.data.registry.datasets import datasets
from optical.errors import DataError

_ROLES = {
    "passages": (("passages", "corpus", "docs", "documents", "collection"), (*JSON_LINES, ".tsv")),
    "topics": (("topics", "queries"), (*JSON_LINES, ".tsv", ".txt", ".xml", ".trec", ".sgml")),
    "qrels": (("qrels",), (".tsv", ".txt", ".qrels", ".trec")),
}
"""Beginnings of the names of a role's files, or the names of its folder, and the formats it is read from."""

_SPLITS = ("test", "dev", "validation", "train")
"""Splits of judgements; the first that is there is used."""


@dataclass(frozen=True)
class CollectionFiles:
    """The files of a folder by their role.

    Args:
        passages: in order, where a collection comes in numbered files.
        topics: None in a collection of passages.
        qrels: None where nothing is judged.
        other_qrels: judgements of splits that are not used.
        unread: names of the other files.
        language: query language the user named, for topics in several.
    """

    folder: Path
    passages: tuple[Path, ...]
    topics: Path | None
    qrels: Path | None
    other_qrels: tuple[Path, ...]
    unread: tuple[str, ...]
    language: str | None

    def identity(self) -> dict:
        """The identity of the content: hashes of the files by name."""
        files = (*self.passages, self.topics, self.qrels, *self.other_qrels)
        hashes = {path.relative_to(self.folder).as_posix(): sha256_file(path) for path in files if path}
        return {"files": hashes, "language": self.language}


def collection_files(spec: str) -> CollectionFiles | None:
    """The files of ``FOLDER`` or ``FOLDER@language``; None when the specification is no path.

    Raises:
        DataError: a path that is no folder; a role is missing that must be there, or it is not clear which file has it.
    """
    path, language = (spec, None) if Path(spec).is_dir() else split_language(spec)
    folder = Path(path)
    if spec in datasets() or not (folder.is_dir() or re.search(r"[/\\]|^\.", spec)):
        return None
    if not folder.is_dir():
        rule = "is a file" if folder.is_file() else "no such file or folder"
        advice = "a collection is a folder with passages.tsv, topics.tsv and qrels.txt, or a registry name"
        raise DataError(spec, rule, advice)
    found = {role: _candidates(folder, *how) for role, how in _ROLES.items()}
    known = {path for paths in found.values() for path in paths}
    unread = tuple(path.name for path in _files(folder) if path not in known)
    if not found["passages"]:
        raise _missing(folder, "passages", unread)
    if found["qrels"] and not found["topics"]:
        raise _missing(folder, "topics", unread)
    qrels = _chosen_split(folder, found["qrels"])
    topics = _topics(folder, found["topics"], qrels)
    others = tuple(path for path in found["qrels"] if path != qrels)
    passages = _numbered(folder, found["passages"])
    return CollectionFiles(folder, passages, topics, qrels, others, unread, language)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))


def _candidates(folder: Path, names: Sequence[str], suffixes: Sequence[str]) -> list[Path]:
    """Files of a role: all in a folder of its name, and those outside whose names begin with it."""
    inside = [path for name in names if (folder / name).is_dir() for path in _files(folder / name)]
    beginning = re.compile(rf"({'|'.join(names)})([._-]|$)")
    outside = [path for path in _files(folder) if beginning.match(path.name.lower())]
    return [path for path in (*outside, *inside) if format_suffix(path.name) in suffixes]


def _missing(folder: Path, role: str, unread: Sequence[str]) -> DataError:
    names, suffixes = _ROLES[role]
    seen = f"; not read: {', '.join(unread[:5])}" if unread else ""
    expected = f"{'|'.join(names)} with {', '.join(suffixes)}, plain or .gz"
    return DataError(folder, f"it has no {role}{seen}", f"name the file {expected}")


def _one(folder: Path, role: str, paths: Sequence[Path]) -> Path:
    if len(paths) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in paths[:5])
        raise DataError(folder, f"{len(paths)} files of {role} ({names})", "leave the one that is meant in the folder")
    return paths[0]


def _numbered(folder: Path, paths: Sequence[Path]) -> tuple[Path, ...]:
    """The files of passages: one, or several that differ in a number alone, in its order."""
    if len({re.sub(r"\d+", "", path.relative_to(folder).as_posix()) for path in paths}) > 1:
        _one(folder, "passages", paths)
    return tuple(sorted(paths, key=lambda path: [int(digits) for digits in re.findall(r"\d+", path.name)]))


def _splits(path: Path) -> set[str]:
    return set(re.split(r"[._-]", path.name.lower())) & set(_SPLITS)


def _chosen_split(folder: Path, paths: Sequence[Path]) -> Path | None:
    """The qrels that are used: the only ones, or those of the first split where all files name theirs."""
    if len(paths) < 2:
        return paths[0] if paths else None
    ranks = [min((_SPLITS.index(name) for name in _splits(path)), default=len(_SPLITS)) for path in paths]
    if len(_SPLITS) in ranks:
        return _one(folder, "qrels", paths)
    return _one(folder, "qrels", [path for path, rank in zip(paths, ranks, strict=True) if rank == min(ranks)])


def _topics(folder: Path, paths: Sequence[Path], qrels: Path | None) -> Path | None:
    """The topics: the only file of them, or the one of the same split as the qrels."""
    if len(paths) < 2:
        return paths[0] if paths else None
    same = [path for path in paths if qrels and _splits(path) and _splits(path) == _splits(qrels)]
    return _one(folder, "topics", same or paths)
