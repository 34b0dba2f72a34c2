"""Families: data sets that differ in their language alone, expanded over the table of pinned files."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files as package_files

from optical.data.registry.entry import DataFile, DataSet, Kind
from optical.data.registry.languages import canonical, language


@dataclass(frozen=True, kw_only=True)
class Family:
    """Data sets of one origin, one for each language.

    Args:
        name: pattern of the names; ``{code}`` is the ISO 639-3 code.
        files: mirror paths without ``.gz``, in the order the reader expects; ``archive!member`` for a member; ``{x}``
            is the code that the origin gives the language.
        languages: the origin's codes; by default every one for which the first path with ``{x}`` is in the table.
        target: ISO 639-3 code of the other side; its own files make no data set.
    """

    name: str
    kind: Kind
    reader: str
    files: tuple[str, ...]
    licence: str
    attribution: str
    languages: tuple[str, ...] = ()
    target: str = "eng"

    def entries(self) -> Iterator[DataSet]:
        """The data set of each language."""
        for own_code in self.languages or self._found():
            code = language(own_code, self.name).code
            rows = [_file(pattern.replace("{x}", own_code)) for pattern in self.files]
            name = self.name.replace("{code}", code)
            yield DataSet(
                name=name,
                kind=self.kind,
                source=code,
                target=self.target,
                reader=self.reader,
                origin=rows[0][0],
                commit=rows[0][1],
                licence=self.licence,
                attribution=self.attribution,
                files=tuple(file for _, _, file in rows),
                count=count_of(name),
            )

    def _found(self) -> list[str]:
        first = next(pattern for pattern in self.files if "{x}" in pattern).partition("!")[0]
        shape = re.compile(re.escape(first).replace(r"\{x\}", r"([\w-]+)", 1).replace(r"\{x\}", r"\1"))
        found = [match[1] for path in _table() if (match := shape.fullmatch(path))]
        return [code for code in found if canonical(code) != self.target]


def _file(place: str) -> tuple[str, str, DataFile]:
    """Origin, commit and file of a mirror path."""
    path, _, member = place.partition("!")
    row = _table()[path]
    return row["origin"], row["commit"], DataFile(row["path"], row["sha256"], row["mirror"], member, int(row["bytes"]))


def count_of(name: str) -> int | None:
    """Physical pairs, or topics of a collection, as counted by its reader."""
    return _counts().get(name)


@cache
def _table() -> dict[str, dict[str, str]]:
    """Pinned files by their path in a mirror without ``.gz``: origin, commit, path, and bytes and sha256 as there."""
    return {row["mirror"].removesuffix(".gz"): row for row in _rows("files.tsv")}


@cache
def _counts() -> dict[str, int]:
    return {row["name"]: int(row["count"]) for row in _rows("counts.tsv")}


def _rows(name: str) -> Iterator[dict[str, str]]:
    text = package_files("optical.data.registry").joinpath(name).read_text(encoding="utf-8")
    return csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
