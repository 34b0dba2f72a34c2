"""Test collections: English passages, topics in the query language with their translations, and qrels."""

from collections.abc import Callable, Sequence
from pathlib import Path

from optical.data.bitext.sides import SAMPLE
from optical.data.collections import question_answering as benchmarks
from optical.data.collections import translated as translated_benchmarks
from optical.data.collections.checks import check_texts, checked, languages_checked
from optical.data.collections.folder import CollectionFiles, collection_files
from optical.data.collections.ir_datasets import ir_datasets_identity, is_ir_datasets, read_ir_datasets
from optical.data.collections.passages import read_passages
from optical.data.collections.qrels import Qrels, parse_qrels, repeated
from optical.data.collections.records import MAX_LINE_BYTES, Collection, Passage, Qrel, Topic
from optical.data.collections.topics import read_topics
from optical.data.fetch.resolve import hashes_of, resolve
from optical.data.files.open import text_lines
from optical.data.registry.datasets import dataset
from optical.data.registry.entry import DataSet
from optical.errors import DataError

__all__ = ["Collection", "Passage", "Qrel", "Topic", "collection_identity", "open_collection", "read_collection"]


def open_collection(spec: str, cache: Path, mirror: str | None = None) -> Collection:
    """Read the collection of a registry name, of a folder, or of ir_datasets.

    A registered collection has passages, topics and qrels; others may be without qrels, or without topics as well.

    Args:
        spec: registry name; ``FOLDER`` or ``FOLDER@language`` (see ``collection_files``); or ``ir_datasets:name``.
        cache: directory of files fetched before.
        mirror: directory or address tried before the origin.

    Raises:
        UserError: none of these.
        DataError: a file is missing, damaged or inconsistent.
    """
    if is_ir_datasets(spec):
        found = languages_checked(spec, checked(spec, read_ir_datasets(spec)), None)
        return _whole(spec, found, ("passages",))
    if files := collection_files(spec):
        return languages_checked(str(files.topics), checked(spec, _folder(files)), files.language)
    entry = dataset(spec)
    found = read_collection(entry, resolve(entry, cache, mirror).paths)
    return _whole(spec, found, ("passages", "topics", "qrels"))


def collection_identity(spec: str, cache: Path, mirror: str | None = None) -> dict:
    """What a specification stands for, by content: hashes of the files that are read.

    Raises:
        UserError, DataError: as ``open_collection``, where files are missing.
    """
    if is_ir_datasets(spec):
        return ir_datasets_identity(spec)
    if files := collection_files(spec):
        return files.identity()
    return {"name": spec, "files": hashes_of(dataset(spec), cache, mirror)}


def read_collection(entry: DataSet, paths: Sequence[str | Path]) -> Collection:
    """Read a registered collection from its resolved files.

    Raises:
        DataError: the data set is no collection, or a file is damaged or inconsistent.
    """
    if entry.reader not in READERS:
        raise DataError(entry.name, f"is {entry.kind}, not a collection", "name a collection of the registry")
    return checked(entry.name, READERS[entry.reader](tuple(map(Path, paths)), entry.source))


def _whole(spec: str, collection: Collection, parts: Sequence[str]) -> Collection:
    for part in parts:
        if not getattr(collection, part):
            raise DataError(spec, f"it has no {part}", f"give a collection with {', '.join(parts)}")
    return collection


def _folder(files: CollectionFiles) -> Collection:
    passages, remarks = read_passages(files.passages)
    _filled(files.passages[0], passages)
    topics, left_out = read_topics(files.topics, files.language) if files.topics else ((), ())
    _filled(files.topics, topics)
    check_texts(str(files.passages[0]), "passages", [passage.text for passage in passages[:SAMPLE]])
    check_texts(str(files.topics), "queries", [topic.query for topic in topics[:SAMPLE]])
    remarks = (*remarks, *left_out)
    if files.qrels is None:
        unread = ", ".join(files.unread[:5])
        said = (f"{unread} is not read; judgements are qrels.txt or qrels.tsv",) if unread and topics else ()
        return Collection(passages, topics, (), remarks=(*remarks, *said))
    qrels = _qrels(files.qrels)
    _filled(files.qrels, qrels.judgements)
    elsewhere = {qrel.qid for path in files.other_qrels for qrel in _qrels(path).judgements}
    elsewhere -= {qrel.qid for qrel in qrels.judgements}
    kept = tuple(topic for topic in topics if topic.qid not in elsewhere)
    if files.other_qrels:
        names = ", ".join(path.name for path in files.other_qrels)
        what = f"judged by {files.qrels.name}; {len(topics) - len(kept):,} topics that only {names} judge are left out"
        remarks = (*remarks, what)
    return Collection(passages, kept, qrels.judgements, remarks=(*remarks, *repeated(qrels)))


def _filled(path: Path | None, records: Sequence) -> Sequence:
    """The records of a file; an existing file must have some."""
    if path and not records:
        raise DataError(path, "the file holds nothing", "fill it, or remove it if the collection has none")
    return records


def _tables(paths: Sequence[Path], _source: str) -> Collection:
    """Passages (docid, text), topics (qid, query, English) and TREC qrels, each one a file."""
    passage_path, topic_path, qrel_path = paths
    passages, remarks = read_passages([passage_path])
    qrels = _qrels(qrel_path)
    topics, left_out = read_topics(topic_path)
    return Collection(passages, topics, qrels.judgements, remarks=(*remarks, *left_out, *repeated(qrels)))


def _qrels(path: Path) -> Qrels:
    return parse_qrels((f"{path}, line {number}", line) for number, line in text_lines(path, MAX_LINE_BYTES))


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
