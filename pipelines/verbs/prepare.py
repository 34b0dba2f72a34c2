"""prepare: bitext, question-passage pairs and the test collection, checked and in parquet shards."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.config import BitextConfig
from optical.data.collections import Collection, open_collection
from optical.data.filters import Limits
from optical.data.registry import datasets
from optical.data.shards import BITEXT, write_bitext
from optical.data.sources import open_source
from optical.data.stream import BitextSource, checked_pairs
from optical.evaluation.trec import Qrel, write_qrels
from optical.tracking.progress import Progress
from pipelines.session import Session

COLLECTION = "collection"


def prepare(session: Session) -> dict:
    """Make the clean shards and the collection; returns counts of pairs, rejects, passages and topics."""
    workspace = session.workspace
    _bitext(session, workspace.bitext, workspace.bitext_fingerprint, workspace.recipe.bitext)
    if workspace.scratch_teacher:
        questions = replace(
            workspace.recipe.bitext, datasets=workspace.recipe.teacher.scratch.pairs, source="eng", max_pairs=None
        )
        # A question is much shorter than its passage, so the ratio says nothing about a good pair.
        questions = replace(questions, max_length_ratio=1e9, max_characters=4000)
        _bitext(session, workspace.questions, workspace.questions_fingerprint, questions)
    _collection(session)
    bitext = artefacts.read(workspace.bitext, BITEXT)
    collection = artefacts.read(workspace.collection, COLLECTION)
    licences = bitext.info["licences"] | {workspace.recipe.evaluation.collection: collection.info["licence"]}
    return {
        "pairs": sum(bitext.info["accepted"].values()),
        "rejected": rejects(bitext.info),
        "passages": collection.info["passages"],
        "topics": collection.info["topics"],
        "licences": licences,
        "shards": str(workspace.bitext),
    }


def rejects(info: dict) -> dict[str, int]:
    """Rejected pairs by reason, over all data sets."""
    total: dict[str, int] = {}
    for reasons in info["rejected"].values():
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _bitext(session: Session, path: Path, made_from: str, config: BitextConfig) -> None:
    if artefacts.exists(path, BITEXT, made_from):
        return
    settings = session.workspace.settings
    sources = []
    for spec in config.datasets:
        files = open_source(spec, settings.cache, settings.mirror)
        sources.append(BitextSource(files, config.source, config.target))
    with session.work("prepare"), Progress("prepare", config.max_pairs, "pairs") as progress:
        checked = _counted(checked_pairs(sources, Limits.of(config)), progress)
        write_bitext(path, made_from, checked, config, {"licences": _licences(config.datasets)})


def _counted(tables: object, progress: Progress) -> object:
    for table in tables:
        progress.advance(len(table))
        yield table


def _licences(specs: tuple[str, ...]) -> dict[str, str]:
    known = datasets()
    return {spec: known[spec].licence if spec in known else "given by the user" for spec in specs}


def _collection(session: Session) -> None:
    workspace = session.workspace
    if artefacts.exists(workspace.collection, COLLECTION, workspace.collection_fingerprint):
        return
    settings = workspace.settings
    collection = open_collection(workspace.recipe.evaluation.collection, settings.cache, settings.mirror)
    info = {
        "passages": len(collection.passages),
        "topics": len(collection.topics),
        "licence": _licences((workspace.recipe.evaluation.collection,))[workspace.recipe.evaluation.collection],
    }
    with artefacts.writing(workspace.collection, COLLECTION, workspace.collection_fingerprint, info) as scratch:
        _write_collection(scratch, collection)


def _write_collection(folder: Path, collection: Collection) -> None:
    for name, records in (("passages", collection.passages), ("topics", collection.topics)):
        fields = type(records[0]).__slots__
        columns = {field: [getattr(record, field) for record in records] for field in fields}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    write_qrels(folder / "qrels.txt", [Qrel(q.qid, q.docid, q.relevance) for q in collection.qrels])
