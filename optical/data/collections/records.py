"""The records of a test collection, and functions that its readers share."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from optical.data.bitext.screen import normalise
from optical.data.files.open import text_lines
from optical.errors import DataError

MAX_LINE_BYTES = 1 << 24
"""Longest line of a collection's file."""

Key = TypeVar("Key")
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
    """A relevance judgement of a passage for a topic; relevance 1 and above is relevant."""

    qid: str
    docid: str
    relevance: int


@dataclass(frozen=True)
class Collection:
    """A test collection; identifiers are unique.

    It may have no topics, or no qrels. A qrel may name a passage or topic that is not there.

    Args:
        other_texts: further texts of the test material, such as the passages' translations. They are not retrieved, and
            no pair with one of them may be trained on.
        remarks: what a reader of its measures should know, a clause each.
    """

    passages: tuple[Passage, ...]
    topics: tuple[Topic, ...]
    qrels: tuple[Qrel, ...]
    other_texts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def titled(title: str, text: str) -> str:
    """A passage's text with its title before it; either alone when the other is empty.

    >>> titled("Lamu", "A town."), titled("", "A town.")
    ('Lamu. A town.', 'A town.')
    """
    return f"{title}. {text}" if title and text else title or text


def identifier(where: str, value: object) -> str:
    """A docid or qid as its file writes it, surrounding white space aside; a whole number of JSON is written out.

    Ids are never normalised: two that differ in a byte differ, and files written from them match the user's own.

    Raises:
        DataError: another kind of value, or text that is empty or holds white space.
    """
    text = str(value) if type(value) is int else value
    if not isinstance(text, str) or len(text.split()) != 1:
        what = f"id {value!r} is not one word of text nor a whole number"
        raise DataError(where, what, "give each its own id, without white space, which TREC files cannot hold")
    return _encodable(where, text.strip())


def content(where: str, name: str, value: object) -> str:
    """A text field, normalised.

    Raises:
        DataError: the value is null or no text.
    """
    if not isinstance(value, str):
        what = f"{name} is {json.dumps(value)[:80]}, not text"
        raise DataError(where, what, 'write the text in quotes, "" where there is none')
    return normalise(_encodable(where, value))


def placed_objects(path: Path) -> Iterator[tuple[str, dict]]:
    """The objects of a JSON Lines file, each with its place; blank lines are skipped.

    Raises:
        DataError: a line is no object.
    """
    for number, line in text_lines(path, MAX_LINE_BYTES):
        where = f"{path}, line {number}"
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(where, f"not JSON ({error})", "write one object a line") from None
        if not isinstance(row, dict):
            raise DataError(where, f"a JSON {type(row).__name__}, not an object", "write one object a line")
        yield where, row


def json_objects(path: Path, keys: Sequence[str]) -> Iterator[dict]:
    """The objects of a JSON Lines file, each with the given keys.

    Raises:
        DataError: a line is no such object.
    """
    for where, row in placed_objects(path):
        if absent := [key for key in keys if key not in row]:
            raise DataError(where, f"has no {', '.join(absent)}", "repair the file")
        yield row


def passages_of(docids: Mapping[str, str]) -> tuple[Passage, ...]:
    """Passages of a table from text to docid, in its order."""
    return tuple(Passage(docid, text) for text, docid in docids.items())


def counterpart(table: Mapping[Key, Value], key: Key, path: Path, other: Path) -> Value:
    """The entry of one file under a key of the other.

    Raises:
        DataError: there is none.
    """
    if key not in table:
        raise DataError(path, f"has no question {key} of {other.name}", "fetch both files again")
    return table[key]


def _encodable(where: str, text: str) -> str:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise DataError(where, f"a lone surrogate in the text ({error.reason})", "repair the escape") from None
    return text
