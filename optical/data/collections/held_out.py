"""Which test collections a recipe's pairs are compared with: its own, and the registered ones of its query languages.

No text of these may be trained on. Collections of other languages are left out. English is their common side: the
Tatoeba tests of a hundred languages would remove a sixth of the Finnish Tatoeba pairs, and no student of Finnish is
ever tested on them. This downloads nothing but the recipe's own collection, which the run needs anyway. The manifest
and the cleaning report name the collections that were compared and those that were not.
"""

import re
from collections.abc import Collection as Container
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from optical.data.cleaning.leaks import HeldOut
from optical.data.collections.opening import open_collection, read_collection
from optical.data.collections.records import Collection
from optical.data.fetch.place import place_of
from optical.data.fetch.resolve import cached_path, resolve
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import BUILT_IN, DataFile, DataSet
from optical.data.registry.languages import canonical
from optical.errors import OpticalError

_SENTENCE_END = re.compile(
    r"(?<=[.!?\u0964\u061f\u06d4\u1362])\s+|(?<=[.!?][\"')\u201d\u2019])\s+|(?<=[\u3002\uff01\uff1f])"
)
_LONGEST_RUN = 4


@dataclass(frozen=True)
class Compared:
    """The texts held out; and the collections that were not available, by name, with the reason."""

    held_out: HeldOut
    missed: dict[str, str]


def held_out_texts(own: str, languages: Container[str], cache: Path, mirror: str | None = None) -> Compared:
    """Gather the texts of a recipe's collection, and of the available registered ones with queries in its languages.

    Args:
        own: the recipe's collection, a registry name or a folder.
        languages: codes of the query languages.
        cache: directory of files fetched before.
        mirror: directory or address of a mirror; only a local one is used.

    Raises:
        OpticalError: the recipe's own collection cannot be read.
    """
    texts: dict[str, Iterable[str]] = {own: collection_texts(open_collection(own, cache, mirror))}
    missed = {}
    for entry in _testing({canonical(code) for code in languages}):
        if entry.name == own:
            continue
        if not all(_is_local(entry, file, cache, mirror) for file in entry.files):
            missed[entry.name] = "not available"
            continue
        try:
            texts[entry.name] = list(registered_texts(entry, cache, mirror))
        except OpticalError as error:
            missed[entry.name] = error.parts[1]
    return Compared(HeldOut.of(texts), missed)


def registered_texts(dataset: DataSet, cache: Path, mirror: str | None) -> Iterator[str]:
    """Every text of a registered test collection: see ``collection_texts``.

    Texts are normalised, may repeat, and come in the collection's order.

    Args:
        dataset: a registry entry of kind ``collection``.
        cache: directory of files fetched before.
        mirror: directory or address tried before the origin.

    Raises:
        DataError: the data set is no collection, or a file of it is damaged.
        InfrastructureError: no place has its files.
    """
    yield from collection_texts(read_collection(dataset, resolve(dataset, cache, mirror).paths))


def collection_texts(collection: Collection) -> Iterator[str]:
    """Every text of a collection: queries and passages, with translations, and their sentences.

    Of a text of several sentences every run of up to four is given as well: a full stop may not end a sentence, and
    other sets cut the same text in other places.
    """
    for topic in collection.topics:
        yield topic.query
        if topic.english:
            yield topic.english
    for text in (*(passage.text for passage in collection.passages), *collection.other_texts):
        yield text
        yield from _runs(text)


def _runs(text: str) -> Iterator[str]:
    ends = [match.span() for match in _SENTENCE_END.finditer(text) if match.end() < len(text)]
    starts = [0, *(after for _, after in ends)]
    stops = [*(before for before, _ in ends), len(text)]
    for number, start in enumerate(starts):
        for stop in stops[number : number + _LONGEST_RUN]:
            if 0 < stop - start < len(text):
                yield text[start:stop]


def _testing(languages: set[str]) -> Iterator[DataSet]:
    for entry in datasets().values():
        if entry.kind == "collection" and entry.origin != BUILT_IN and canonical(entry.source) in languages:
            yield entry


def _is_local(entry: DataSet, file: DataFile, cache: Path, mirror: str | None) -> bool:
    places: list[str | Path] = [cached_path(entry, file, cache)]
    if mirror:
        places.append(place_of(mirror, file.mirror))
    return any(isinstance(place, Path) and place.is_file() for place in places)
