"""The entry of a data set in the registry: its files, licence, reader and origin."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["bitext", "collection", "questions"]

BUILT_IN = "built-in"
HUB = "hub:"
MIRROR_ONLY = "mirror:"


@dataclass(frozen=True, slots=True)
class DataFile:
    """One file of a data set.

    Args:
        path: path inside the origin.
        sha256: hash of the original, uncompressed file; ``None`` for one that is pinned when it is first fetched.
        mirror: path inside a mirror; ``X.gz`` there holds the origin's ``X``.
        member: the member that is meant when the file is an archive.
        bytes: size of the original, when known.
    """

    path: str
    sha256: str | None
    mirror: str
    member: str = ""
    bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSet:
    """A public data set: what it is, how to read it, where it comes from, and under which licence.

    Args:
        source: ISO 639-3 code of the query language.
        target: ISO 639-3 code of the passages' or translations' language.
        reader: a name of ``bitext.readers``, or of ``collections.opening.READERS``.
        origin: ``owner/repo`` on GitHub; ``hub:owner/repo`` for a data set of the Hugging Face hub; an ``https``
            address; ``mirror:owner/repo`` for files converted from that repository, which only a mirror has; or
            ``built-in`` for data that this package contains.
        commit: full hash of the pinned commit, or the revision; empty where the origin has none.
        licence: SPDX identifier where there is one.
        files: in the order the reader expects.
        count: physical pairs, or topics of a collection, when known.
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
    count: int | None = None

    @property
    def commercial(self) -> bool:
        """Whether the licence allows commercial use, as far as its name says."""
        return "NC" not in self.licence.split("-")

    def url(self, file: DataFile) -> str | None:
        """Address of a file at its origin, at the pinned commit; ``None`` when nothing serves it."""
        if self.origin == BUILT_IN or self.origin.startswith(MIRROR_ONLY):
            return None
        if self.origin.startswith(HUB):
            repository = self.origin.removeprefix(HUB)
            return f"https://huggingface.co/datasets/{repository}/resolve/{self.commit}/{file.path}"
        if "://" in self.origin:
            return f"{self.origin}/{file.path}"
        return f"https://raw.githubusercontent.com/{self.origin}/{self.commit}/{file.path}"
