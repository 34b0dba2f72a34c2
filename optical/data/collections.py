"""Test collections: English passages, topics in the query language with their translations, and qrels."""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.data.entry import DataSet
from optical.data.filters import normalise
from optical.data.openers import TooLong, lines, open_bytes
from optical.data.registry import dataset, datasets
from optical.data.resolve import resolve
from optical.errors import DataError

_MAX_BYTES = 1 << 24


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
    """A test collection; identifiers are unique, and every qrel names a topic and a passage of it."""

    passages: tuple[Passage, ...]
    topics: tuple[Topic, ...]
    qrels: tuple[Qrel, ...]


def open_collection(spec: str, cache: Path, mirror: str | None = None) -> Collection:
    """Read the collection of a registry name, or of a folder with passages, topics and qrels.

    Args:
        spec: registry name, or folder with ``passages.tsv`` or ``passages.jsonl``, ``topics.tsv``, ``qrels.txt``.
        cache: directory of files fetched before.
        mirror: directory or address tried before the origin.

    Raises:
        UserError: neither.
        DataError: a file is missing, damaged or inconsistent.
    """
    folder = Path(spec)
    if spec not in datasets() and folder.is_dir():
        name = next((name for name in ("passages.jsonl", "passages.tsv") if (folder / name).is_file()), "passages.tsv")
        found = _checked(spec, _tables([folder / name, folder / "topics.tsv", folder / "qrels.txt"], ""))
    else:
        entry = dataset(spec)
        found = read_collection(entry, resolve(entry, cache, mirror).paths)
    for part in ("passages", "topics", "qrels"):
        if not getattr(found, part):
            raise DataError(spec, f"it has no {part}", "give a collection with passages, topics and qrels")
    return found


def read_collection(entry: DataSet, paths: Sequence[Path]) -> Collection:
    """Read a registered collection from its resolved files.

    Raises:
        DataError: the data set is no collection, or a file is damaged or inconsistent.
    """
    if entry.reader not in _READERS:
        raise DataError(entry.name, f"is {entry.kind}, not a collection", "name a collection of the registry")
    return _checked(entry.name, _READERS[entry.reader](paths, entry.source))


def _tables(paths: Sequence[Path], _source: str) -> Collection:
    """Passages (docid, text), topics (qid, query, English) and TREC qrels, each one a table."""
    passage_path, topic_path, qrel_path = paths
    if passage_path.suffix == ".jsonl":
        rows = _rows(passage_path, ("docid", "text"))
        passages = [Passage(str(row["docid"]), normalise(str(row["text"]))) for row in rows]
    else:
        passages = [Passage(docid, text) for docid, text in _columns(passage_path, 2, 2)]
    topics = [Topic(row[0], row[1], row[2] if len(row) > 2 else "") for row in _columns(topic_path, 2, 3)]
    return Collection(tuple(passages), tuple(topics), tuple(_trec_qrels(qrel_path)))


def _afriqa(paths: Sequence[Path], source: str) -> Collection:
    """AfriQA gold passages of every given file; topics and qrels from the source language's test file alone.

    Rows without a context have no gold passage and are skipped.
    """
    texts: dict[str, str] = {}
    topics, qrels = [], []
    for path in paths:
        for row in _rows(path, ("id", "context", "question_lang", "question_translated")):
            if not row["context"]:
                continue
            text = normalise(f"{row['title']}. {row['context']}" if row.get("title") else row["context"])
            docid = texts.setdefault(text, f"afriqa-{hashlib.sha256(text.encode()).hexdigest()[:12]}")
            if f".{source}." in path.name and ".test." in path.name:
                qid = f"{source}-{row['id']}"
                topics.append(Topic(qid, normalise(row["question_lang"]), normalise(row["question_translated"])))
                qrels.append(Qrel(qid, docid, 1))
    passages = tuple(Passage(docid, text) for text, docid in texts.items())
    return Collection(passages, tuple(topics), tuple(qrels))


def _xquad(paths: Sequence[Path], _source: str) -> Collection:
    """XQuAD: questions of the first file over the paragraphs of the second, the English one, joined by question id."""
    foreign_path, english_path = paths
    queries = {qid: question for qid, question, _ in _squad(foreign_path)}
    docids: dict[str, str] = {}
    topics, qrels = [], []
    for qid, english, context in _squad(english_path):
        docid = docids.setdefault(context, f"xquad-{len(docids):03d}")
        if qid not in queries:
            raise DataError(foreign_path, f"has no question {qid} of {english_path.name}", "fetch both files again")
        topics.append(Topic(qid, queries[qid], english))
        qrels.append(Qrel(qid, docid, 1))
    passages = tuple(Passage(docid, text) for text, docid in docids.items())
    return Collection(passages, tuple(topics), tuple(qrels))


def _squad(path: Path) -> Iterator[tuple[str, str, str]]:
    """Id, question and context of every question of a file in SQuAD's JSON format."""
    with open_bytes(path) as stream:
        content = stream.read()
    try:
        for article in json.loads(content.decode("utf-8"))["data"]:
            for paragraph in article["paragraphs"]:
                for item in paragraph["qas"]:
                    yield item["id"], normalise(item["question"]), normalise(paragraph["context"])
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(path, f"not SQuAD JSON ({error!r})", "fetch the file again") from None


def _rows(path: Path, keys: Sequence[str]) -> Iterator[dict]:
    for number, line in _text_lines(path):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise DataError(f"{path}, line {number}", f"not JSON ({error})", "repair the file") from None
        absent = [key for key in keys if not isinstance(row, dict) or key not in row]
        if absent:
            raise DataError(f"{path}, line {number}", f"has no {', '.join(absent)}", "repair the file")
        yield row


def _columns(path: Path, fewest: int, most: int) -> Iterator[list[str]]:
    for number, line in _text_lines(path):
        row = [normalise(column) for column in line.split("\t")]
        if not fewest <= len(row) <= most or not all(row[:fewest]):
            what = f"{len(row)} columns {row[:most]!r}, expected {fewest} to {most} that are not empty"
            raise DataError(f"{path}, line {number}", what, "separate columns by single tabs")
        yield row


def _trec_qrels(path: Path) -> Iterator[Qrel]:
    for number, line in _text_lines(path):
        try:
            qid, _, docid, relevance = line.split()
            yield Qrel(qid, docid, int(relevance))
        except ValueError:
            what = f"{line[:80]!r} is no qrel"
            raise DataError(f"{path}, line {number}", what, "write: qid 0 docid relevance") from None


def _text_lines(path: Path) -> Iterator[tuple[int, str]]:
    with open_bytes(path) as stream:
        for number, line in enumerate(lines(stream, _MAX_BYTES), start=1):
            if isinstance(line, TooLong):
                raise DataError(f"{path}, line {number}", f"{line.bytes} bytes", "split the passage")
            try:
                yield number, line.decode("utf-8")
            except UnicodeError as error:
                raise DataError(f"{path}, line {number}", f"not UTF-8 ({error.reason})", "repair the file") from None


def _checked(where: str, collection: Collection) -> Collection:
    docids = _unique(where, "docid", [passage.docid for passage in collection.passages])
    qids = _unique(where, "qid", [topic.qid for topic in collection.topics])
    for qrel in collection.qrels:
        if qrel.docid not in docids or qrel.qid not in qids:
            what = f"qrel of topic {qrel.qid} and passage {qrel.docid}, not both in the collection"
            raise DataError(where, what, "complete the collection or its qrels")
    return collection


def _unique(where: str, name: str, values: list[str]) -> set[str]:
    seen: set[str] = set()
    for value in values:
        if value in seen or not value or value.split() != [value]:
            raise DataError(where, f"{name} {value!r} is repeated, empty or contains a space", "give each its own")
        seen.add(value)
    return seen


_READERS: dict[str, Callable[[Sequence[Path], str], Collection]] = {
    "tables": _tables,
    "afriqa": _afriqa,
    "xquad": _xquad,
}
