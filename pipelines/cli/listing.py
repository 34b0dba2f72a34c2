"""The registry as a table: what there is, under which licence, and whether it can be had now."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from optical.data.fetch.availability import availability
from optical.data.registry.datasets import datasets
from optical.data.registry.languages import language
from pipelines.environment import Settings


@dataclass(frozen=True)
class Listed:
    """A line of the list; ``pairs`` counts topics for a collection, ``bytes`` is the size at the origin."""

    name: str
    kind: str
    languages: str
    pairs: int | None
    licence: str
    commercial: bool
    bytes: int | None
    reachable: str


def listed(settings: Settings, code: str | None = None) -> list[Listed]:
    """Every registered data set, or those of one language.

    Raises:
        UserError: no such language.
    """
    wanted = code and language(code).code
    entries = [entry for entry in datasets().values() if wanted in (None, entry.source)]
    places = availability(entries, settings.cache, settings.mirror)
    return [
        Listed(
            entry.name,
            entry.kind,
            f"{entry.source}-{entry.target}",
            entry.count,
            entry.licence,
            entry.commercial,
            _size([file.bytes for file in {file.path: file for file in entry.files}.values()]),
            places[entry.name],
        )
        for entry in entries
    ]


def as_rows(lines: Sequence[Listed]) -> list[dict]:
    """The list for machines."""
    return [asdict(line) for line in lines]


def as_table(lines: Sequence[Listed]) -> str:
    """The list for people: one line a data set, columns aligned."""
    head = ("name", "kind", "languages", "pairs", "size", "reachable", "licence")
    rows = [head, *map(_cells, lines)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def _cells(line: Listed) -> tuple[str, ...]:
    pairs = "?" if line.pairs is None else f"{line.pairs:,}"
    size = "?" if line.bytes is None else f"{line.bytes / 1e6:.1f} MB"
    licence = line.licence if line.commercial else f"{line.licence} (non-commercial)"
    return line.name, line.kind, line.languages, pairs, size, line.reachable, licence


def _size(sizes: Sequence[int | None]) -> int | None:
    return None if None in sizes else sum(sizes)
