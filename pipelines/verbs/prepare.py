"""prepare: bitext, question-passage pairs and the test collection, checked and in parquet shards."""

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.config import BitextConfig
from optical.data.collections import Collection, open_collection
from optical.data.filters import QUESTION_LIMITS, Limits
from optical.data.registry import datasets
from optical.data.shards import BITEXT, write_bitext
from optical.data.sources import open_source
from optical.data.stream import BitextSource, checked_pairs
from optical.evaluation.trec import Qrel, write_qrels
from optical.tracking.progress import Progress
from pipelines.session import Session
from pipelines.workspace import Workspace

COLLECTION = "collection"


def prepare(session: Session) -> dict:
    """Make the clean shards and the collection; returns counts of pairs, rejects, passages and topics."""
    workspace = session.workspace
    config = workspace.recipe.bitext
    _bitext(session, workspace.bitext, workspace.bitext_fingerprint, config, Limits.of(config))
    if workspace.scratch_teacher:
        questions = replace(config, datasets=workspace.recipe.teacher.scratch.pairs, source="eng", max_pairs=None)
        _bitext(session, workspace.questions, workspace.questions_fingerprint, questions, QUESTION_LIMITS)
    _collection(session)
    return _facts(workspace)


def rejects(info: dict) -> dict[str, int]:
    """Rejected pairs by reason, over all data sets."""
    total: dict[str, int] = {}
    for reasons in info["rejected"].values():
        for reason, count in reasons.items():
            total[reason] = total.get(reason, 0) + count
    return total


def _facts(workspace: Workspace) -> dict:
    bitext = artefacts.read(workspace.bitext, BITEXT, verify=False).info
    collection = artefacts.read(workspace.collection, COLLECTION, verify=False).info
    facts = {
        "pairs": sum(bitext["accepted"].values()),
        "rejected": rejects(bitext),
        "passages": collection["passages"],
        "topics": collection["topics"],
        "licences": bitext["licences"] | {workspace.recipe.evaluation.collection: collection["licence"]},
        "shards": str(workspace.bitext),
    }
    if workspace.scratch_teacher:
        questions = artefacts.read(workspace.questions, BITEXT, verify=False).info
        facts |= {"questions": sum(questions["accepted"].values()), "questions_rejected": rejects(questions)}
    return facts


def _bitext(session: Session, path: Path, made_from: str, config: BitextConfig, limits: Limits) -> None:
    settings = session.workspace.settings
    with session.making(path, BITEXT, made_from) as needed:
        if not needed:
            return
        files = [open_source(spec, settings.cache, settings.mirror) for spec in config.datasets]
        sources = [BitextSource(file, config.source, config.target) for file in files]
        with session.work("prepare"), Progress("prepare", config.max_pairs, "pairs") as progress:
            checked = progress.counting(checked_pairs(sources, limits))
            write_bitext(path, made_from, checked, config, {"licences": _licences(config.datasets)})


def _licences(specs: tuple[str, ...]) -> dict[str, str]:
    known = datasets()
    return {spec: known[spec].licence if spec in known else "given by the user" for spec in specs}


def _collection(session: Session) -> None:
    workspace = session.workspace
    with session.making(workspace.collection, COLLECTION, workspace.collection_fingerprint) as needed:
        if needed:
            _make_collection(workspace)


def _make_collection(workspace: Workspace) -> None:
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
