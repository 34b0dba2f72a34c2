"""Which test collections a recipe's pairs are compared with: its own, and the registered ones of its query languages.

No text of these may be trained on. Collections of other languages are left out. English is their common side: the
Tatoeba tests of a hundred languages would remove a sixth of the Finnish Tatoeba pairs, and no student of Finnish is
ever tested on them. A registered collection is compared if all its files are available without a download, so other
collections may be compared on another machine. Therefore the names and hashes of those that are compared enter the
fingerprint of the pairs. A recipe may exempt all but its own. The manifest and the cleaning report name the collections
that were compared and those that were not.
"""

import re
from collections.abc import Collection as Container
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from optical.data.cleaning.leaks import HeldOut
from optical.data.collections.opening import open_collection, read_collection
from optical.data.collections.records import Collection
from optical.data.fetch.place import place_of
from optical.data.fetch.resolve import cached_path, hashes_of, resolve
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import BUILT_IN, DataFile, DataSet
from optical.data.registry.languages import canonical
from optical.errors import OpticalError

_SENTENCE_END = re.compile(
    r"(?<=[.!?\u0964\u061f\u06d4\u1362])\s+|(?<=[.!?][\"')\u201d\u2019])\s+|(?<=[\u3002\uff01\uff1f])"
)
_LONGEST_RUN = 4
_EXEMPTED = "exempted by bitext.cleaning.exempt_collections, so its texts may be among the pairs"


@dataclass(frozen=True)
class Compared:
    """The test collections that pairs are compared with.

    Args:
        own: the recipe's collection, a registry name or a folder.
        others: registered collections whose files are available.
        missed: the names of those that are not compared, with the reason.
    """

    own: str
    others: tuple[DataSet, ...]
    missed: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The names of all, the recipe's own first."""
        return [self.own, *(entry.name for entry in self.others)]

    def hashes(self, cache: Path, mirror: str | None = None) -> dict[str, dict]:
        """For each of ``others`` the hashes of its files; no file is read whose hash the registry has.

        Raises:
            DataError, InfrastructureError: as ``hashes_of``.
        """
        found = {}
        for entry in self.others:
            with _exemptible(entry):
                found[entry.name] = hashes_of(entry, cache, mirror)
        return found


def compared_collections(
    own: str, languages: Container[str], exempt: Container[str], cache: Path, mirror: str | None = None
) -> Compared:
    """Which collections pairs are compared with: the recipe's own, and available ones with queries in its languages.

    This looks for files and reads none.

    Args:
        own: the recipe's collection, a registry name or a folder.
        languages: codes of the query languages.
        exempt: names of collections that are left out.
        cache: directory of files fetched before.
        mirror: directory or address of a mirror; only a local one is used.
    """
    fetched = datasets().get(own)
    needed = {cached_path(fetched, file, cache) for file in fetched.files} if fetched else set()
    others, missed = [], {}
    for entry in comparable(own, languages):
        if entry.name in exempt:
            missed[entry.name] = _EXEMPTED
        elif all(_is_local(entry, file, cache, mirror, needed) for file in entry.files):
            others.append(entry)
        else:
            missed[entry.name] = "not available"
    return Compared(own, tuple(others), missed)


def comparable(own: str, languages: Container[str]) -> list[DataSet]:
    """The registered collections with queries in any of the languages, available or not, without the recipe's own."""
    codes = {canonical(code) for code in languages}
    return [
        entry
        for entry in datasets().values()
        if entry.kind == "collection" and entry.origin != BUILT_IN and canonical(entry.source) in codes
        if entry.name != own
    ]


def held_out_texts(compared: Compared, cache: Path, mirror: str | None = None) -> HeldOut:
    """Gather the texts of all collections that pairs are compared with.

    Raises:
        OpticalError: one of them cannot be read. It is not left out, because the fingerprint of the pairs names it.
    """
    texts: dict[str, Iterable[str]] = {compared.own: collection_texts(open_collection(compared.own, cache, mirror))}
    for entry in compared.others:
        with _exemptible(entry):
            texts[entry.name] = list(registered_texts(entry, cache, mirror))
    return HeldOut.of(texts)


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


@contextmanager
def _exemptible(entry: DataSet) -> Iterator[None]:
    """Say in a failure that the collection can be exempted."""
    try:
        yield
    except OpticalError as error:
        where, what, advice = error.parts
        raise type(error)(
            where, what, f"{advice}, or name {entry.name} in bitext.cleaning.exempt_collections"
        ) from error


def _is_local(entry: DataSet, file: DataFile, cache: Path, mirror: str | None, needed: Container[Path]) -> bool:
    """Whether a file is here, or is one of those that the run fetches for its own collection."""
    cached = cached_path(entry, file, cache)
    places: list[str | Path] = [cached, *([place_of(mirror, file.mirror)] if mirror else [])]
    return cached in needed or any(isinstance(place, Path) and place.is_file() for place in places)
