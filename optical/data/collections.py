"""Test collections: English passages, topics in the query language with their translations, and qrels."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from optical.data import benchmarks, translated_benchmarks
from optical.data.entry import DataSet
from optical.data.filters import normalise
from optical.data.openers import text_lines
from optical.data.records import MAX_LINE_BYTES, Collection, Passage, Qrel, Topic, json_objects
from optical.data.registry import dataset, datasets
from optical.data.resolve import resolve
from optical.errors import DataError


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
    if entry.reader not in READERS:
        raise DataError(entry.name, f"is {entry.kind}, not a collection", "name a collection of the registry")
    return _checked(entry.name, READERS[entry.reader](paths, entry.source))


def _tables(paths: Sequence[Path], _source: str) -> Collection:
    """Passages (docid, text), topics (qid, query, English) and TREC qrels, each one a table."""
    passage_path, topic_path, qrel_path = paths
    if passage_path.suffix == ".jsonl":
        rows = json_objects(passage_path, ("docid", "text"))
        passages = [Passage(str(row["docid"]), normalise(str(row["text"]))) for row in rows]
    else:
        passages = [Passage(docid, text) for docid, text in _columns(passage_path, 2, 2)]
    topics = [Topic(row[0], row[1], row[2] if len(row) > 2 else "") for row in _columns(topic_path, 2, 3)]
    return Collection(tuple(passages), tuple(topics), tuple(_trec_qrels(qrel_path)))


def _columns(path: Path, fewest: int, most: int) -> Iterator[list[str]]:
    for number, line in text_lines(path, MAX_LINE_BYTES):
        row = [normalise(column) for column in line.split("\t")]
        if not fewest <= len(row) <= most or not all(row[:fewest]):
            what = f"{len(row)} columns {row[:most]!r}, expected {fewest} to {most} that are not empty"
            raise DataError(f"{path}, line {number}", what, "separate columns by single tabs")
        yield row


def _trec_qrels(path: Path) -> Iterator[Qrel]:
    for number, line in text_lines(path, MAX_LINE_BYTES):
        try:
            qid, _, docid, relevance = line.split()
            yield Qrel(qid, docid, int(relevance))
        except ValueError:
            what = f"{line[:80]!r} is no qrel"
            raise DataError(f"{path}, line {number}", what, "write: qid 0 docid relevance") from None


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


READERS: dict[str, Callable[[Sequence[Path], str], Collection]] = {
    "tables": _tables,
    "afriqa": benchmarks.afriqa,
    "xquad": benchmarks.xquad,
    "lareqa": benchmarks.lareqa,
    "belebele": benchmarks.belebele,
    "xor-tydi": benchmarks.xor_tydi,
    "sentences": translated_benchmarks.sentences,
    "ntrex": translated_benchmarks.ntrex,
    "global-mmlu": translated_benchmarks.global_mmlu,
    "mmlu": translated_benchmarks.mmlu,
}
"""Every reader of collections by name."""
