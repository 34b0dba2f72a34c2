"""What a test collection is made of, and what its readers share."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from optical.data.openers import text_lines
from optical.errors import DataError

MAX_LINE_BYTES = 1 << 24
"""Longest line of a collection's file."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Passage:
    """A passage of the collection."""

    docid: str
    text: str


@dataclass(frozen=True, slots=True)
class Topic:
    """An information need: the query in the query language, and its English translation (empty when unknown)."""

    qid: str
    query: str
    english: str


@dataclass(frozen=True, slots=True)
class Qrel:
    """A relevance judgement; positive relevance is relevant."""

    qid: str
    docid: str
    relevance: int


@dataclass(frozen=True)
class Collection:
    """A test collection; identifiers are unique, and every qrel names a topic and a passage of it.

    Args:
        beside: further texts of the test material, such as the passages' translations: never retrieved, never to be
            trained on.
    """

    passages: tuple[Passage, ...]
    topics: tuple[Topic, ...]
    qrels: tuple[Qrel, ...]
    beside: tuple[str, ...] = ()


def json_objects(path: Path, keys: Sequence[str]) -> Iterator[dict]:
    """The objects of a JSON Lines file, each with the given keys.

    Raises:
        DataError: a line is no such object.
    """
    for number, line in text_lines(path, MAX_LINE_BYTES):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}", f"not JSON ({error})", "repair the file") from None
        absent = [key for key in keys if not isinstance(row, dict) or key not in row]
        if absent:
            raise DataError(f"{path}, line {number}", f"has no {', '.join(absent)}", "repair the file")
        yield row


def passages_of(docids: Mapping[str, str]) -> tuple[Passage, ...]:
    """Passages of a table from text to docid, in its order."""
    return tuple(Passage(docid, text) for text, docid in docids.items())


def counterpart(table: Mapping[object, Value], key: object, path: Path, other: Path) -> Value:
    """What one file has under a key of the other.

    Raises:
        DataError: nothing.
    """
    if key not in table:
        raise DataError(path, f"has no question {key} of {other.name}", "fetch both files again")
    return table[key]
