"""Which test collections a recipe's pairs are compared with: its own, and the registered ones of its query language.

Collections of other languages are left out: with English as their common side, the Tatoeba tests of a hundred languages
would condemn a sixth of the Finnish Tatoeba pairs, and no student of Finnish is ever tested on them.
Nothing is downloaded for this but the recipe's own collection, which the run needs anyway. What was looked at, and what
was not, goes into the manifest and the cleaning report.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from optical.data.cleaning.leaks import HeldOut
from optical.data.collections.contamination import collection_texts, test_texts
from optical.data.collections.opening import open_collection
from optical.data.fetch.place import place_of
from optical.data.fetch.resolve import cached_path
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import BUILT_IN, DataFile, DataSet
from optical.data.registry.languages import canonical
from optical.errors import OpticalError


@dataclass(frozen=True)
class Looked:
    """The texts held out, the collections that could not be looked at, and why not."""

    held_out: HeldOut
    missed: dict[str, str]


def look(own: str, languages: Collection[str], cache: Path, mirror: str | None = None) -> Looked:
    """Gather the texts of a recipe's collection and of the registered ones at hand with queries in its languages.

    Args:
        own: the recipe's collection, a registry name or a folder.
        languages: codes of the query languages.
        cache: directory of files fetched before.
        mirror: directory or address of a mirror; only a local one is looked into.

    Raises:
        OpticalError: the recipe's own collection cannot be read.
    """
    texts = {own: collection_texts(open_collection(own, cache, mirror))}
    missed = {}
    for entry in _testing({canonical(code) for code in languages}):
        if entry.name == own:
            continue
        if not all(_at_hand(entry, file, cache, mirror) for file in entry.files):
            missed[entry.name] = "not at hand"
            continue
        try:
            texts[entry.name] = list(test_texts(entry, cache, mirror))
        except OpticalError as error:
            missed[entry.name] = error.parts[1]
    return Looked(HeldOut.of(texts), missed)


def _testing(languages: set[str]) -> Iterator[DataSet]:
    for entry in datasets().values():
        if entry.kind == "collection" and entry.origin != BUILT_IN and canonical(entry.source) in languages:
            yield entry


def _at_hand(entry: DataSet, file: DataFile, cache: Path, mirror: str | None) -> bool:
    places = [cached_path(entry, file, cache)]
    if mirror:
        places.append(place_of(mirror, file.mirror))
    return any(isinstance(place, Path) and place.is_file() for place in places)
