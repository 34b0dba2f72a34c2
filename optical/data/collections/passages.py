"""Passages of a user's files: TSV with or without header, and the JSON Lines of BEIR, MIRACL, NeuCLIR and Anserini."""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from optical.data.collections.records import Passage, content, identifier, titled
from optical.data.collections.rows import Row, by_names, rows
from optical.errors import DataError

_NAMES = {
    "id": ("docid", "doc_id", "doc-id", "docno", "_id", "id", "pid", "passage_id", "passage-id"),
    "text": ("text", "contents", "content", "passage", "body"),
    "title": ("title",),
}


Gathered = tuple[tuple[Passage, ...], tuple[str, ...]]
"""Passages, and remarks on them."""


def read_passages(paths: Sequence[Path]) -> Gathered:
    """The passages of files in TSV or JSON Lines, by ``gather_passages``."""
    return gather_passages(row for path in paths for row in rows(path, _find, ("id", "text")))


def gather_passages(found: Iterable[Row]) -> Gathered:
    """Passages of rows with ``id``, ``text`` and perhaps ``title``.

    Titles go before texts, and passages without any text are left out; both are counted.

    Raises:
        DataError: a value that is no id or text, or a docid that occurs twice.
    """
    passages: list[Passage] = []
    seen: dict[str, str] = {}
    titles = empty = 0
    for where, row in found:
        docid = once(seen, where, "docid", identifier(where, row["id"]))
        title = "" if row.get("title") is None else content(where, "title", row["title"])
        if text := titled(title, content(where, "text", row["text"])):
            passages.append(Passage(docid, text))
            titles += bool(title)
        else:
            empty += 1
    remarks = [f"{titles:,} of {len(passages):,} passages begin with their title"] if titles else []
    remarks += [f"{empty:,} passages without text are left out"] if empty else []
    return tuple(passages), tuple(remarks)


def once(seen: dict[str, str], where: str, name: str, value: str) -> str:
    """An id that no earlier line has.

    Args:
        seen: the place of every earlier id; this one is added.
        where: its own place.
        name: ``docid`` or ``qid``.
        value: the id.

    Raises:
        DataError: an earlier line has it.
    """
    if value in seen:
        raise DataError(where, f"{name} {value!r} is repeated, first in {seen[value]}", "give each its own")
    seen[value] = where
    return value


@lru_cache(maxsize=256)
def _find(names: tuple[str, ...]) -> dict[str, int]:
    return by_names(names, _NAMES)
