"""The registry as a list: each data set, its licence, and whether it can be read now."""

from collections.abc import Sequence
from dataclasses import dataclass

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

    def cells(self) -> tuple[str, ...]:
        """The line as a table shows it."""
        pairs = "?" if self.pairs is None else f"{self.pairs:,}"
        size = "?" if self.bytes is None else f"{self.bytes / 1e6:.1f} MB"
        licence = self.licence if self.commercial else f"{self.licence} (non-commercial)"
        return self.name, self.kind, self.languages, pairs, size, self.reachable, licence


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


def _size(sizes: Sequence[int | None]) -> int | None:
    known = [size for size in sizes if size is not None]
    return sum(known) if len(known) == len(sizes) else None
