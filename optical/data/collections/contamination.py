"""The texts of a test collection, none of which may be trained on."""

import re
from collections.abc import Iterator
from pathlib import Path

from optical.data.collections.opening import read_collection
from optical.data.collections.records import Collection
from optical.data.fetch.resolve import resolve
from optical.data.registry.entry import DataSet

_SENTENCE_END = re.compile(
    r"(?<=[.!?\u0964\u061f\u06d4\u1362])\s+|(?<=[.!?][\"')\u201d\u2019])\s+|(?<=[\u3002\uff01\uff1f])"
)
_LONGEST_RUN = 4


def test_texts(dataset: DataSet, cache: Path, mirror: str | None) -> Iterator[str]:
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


test_texts.__test__ = False  # the name is no test's, though it reads like one to pytest


def collection_texts(collection: Collection) -> Iterator[str]:
    """Every text of a collection: queries and passages, with translations, and what stands between sentence ends.

    Of a text of several sentences, every run of up to four is given as well: a full stop is no sure end, and other
    sets cut the same text elsewhere.
    """
    for topic in collection.topics:
        yield topic.query
        if topic.english:
            yield topic.english
    for text in (*(passage.text for passage in collection.passages), *collection.beside):
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
