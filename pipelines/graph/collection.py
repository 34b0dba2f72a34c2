"""The test collection: passages, topics and judgements, read and checked."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.collections.checks import dangling, unjudged
from optical.data.collections.opening import Collection, Passage, Topic, collection_identity, open_collection
from optical.data.registry.datasets import datasets
from optical.evaluation.runs import write_qrels
from pipelines.graph.node import Node
from pipelines.graph.workspace import Context, Workspace


def licences(specs: tuple[str, ...]) -> dict[str, str]:
    """The licence of each data set."""
    known = datasets()
    return {spec: known[spec].licence if spec in known else "given by the user" for spec in specs}


def _source(workspace: Workspace) -> tuple[str, Path, str | None]:
    return workspace.recipe.evaluation.collection, workspace.settings.cache, workspace.settings.mirror


def _make(session: Context, path: Path, identity: str) -> None:
    source = _source(session.workspace)
    collection = open_collection(*source)
    info = {
        "passages": len(collection.passages),
        "topics": len(collection.topics),
        "judgements": len(collection.qrels),
        "remarks": list(collection.remarks),
        "licence": licences(source[:1])[source[0]],
    }
    with artefacts.writing(path, COLLECTION.kind, identity, info) as scratch:
        _write(scratch, collection)


def _write(folder: Path, collection: Collection) -> None:
    for name, kind in (("passages", Passage), ("topics", Topic)):
        columns = {field: [getattr(record, field) for record in getattr(collection, name)] for field in kind.__slots__}
        schema = pa.schema([(field, pa.string()) for field in kind.__slots__])
        pq.write_table(pa.table(columns, schema), folder / f"{name}.parquet")
    write_qrels(folder / "qrels.txt", collection.qrels)
    write_qrels(folder / "dangling.txt", dangling(collection))
    (folder / "unjudged.txt").write_text("".join(f"{qid}\n" for qid in unjudged(collection)))


COLLECTION = Node(
    kind="collection",
    version=2,
    made_from=lambda workspace: [collection_identity(*_source(workspace))],
    make=_make,
)
"""Passages, topics and qrels of the test collection, by the bytes of its files."""
