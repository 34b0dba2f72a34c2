"""What the registry knows of a data set: its files, licence, reader, and where it comes from."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bitext", "collection", "questions"]

GENERATOR = "generator"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    Args:
        path: path inside the origin repository.
        sha256: hash of the original, uncompressed file; ``None`` when it is not pinned.
        mirror: path inside a mirror; ``X.gz`` there holds the origin's ``X``.
    """

    path: str
    sha256: str | None
    mirror: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A public data set: what it is, how to read it, where it comes from, and under which licence.

    Args:
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the passages' or translations' language.
        reader: the reader of ``readers.py`` or ``collections.py``.
        origin: ``owner/repo`` on GitHub, or ``generator`` for data this package makes itself.
        commit: full hash of the pinned commit; empty for ``generator``.
        files: in the order the reader expects.
    """

    name: str
    kind: Kind
    source: str
    target: str
    reader: str
    origin: str
    commit: str
    licence: str
    attribution: str
    files: tuple[DataFile, ...]

    def url(self, file: DataFile) -> str:
        """Address of a file at its origin, at the pinned commit."""
        return f"https://raw.githubusercontent.com/{self.origin}/{self.commit}/{file.path}"
