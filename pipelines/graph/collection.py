"""The test collection: passages, topics and judgements, read and checked."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.collections.checks import dangling, unjudged
from optical.data.collections.opening import Collection, Passage, Topic, collection_identity, open_collection
from optical.data.registry.datasets import datasets
from optical.errors import DataError
from optical.evaluation.runs import write_qrels
from pipelines.graph.node import Node

if TYPE_CHECKING:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session


class JudgedCollection(Node):
    """Passages, topics and qrels as files of this project."""

    kind = "collection"
    version = 2
    format = "collection"

    def made_from(self, workspace: Workspace) -> list[object]:
        """The bytes of the collection's files."""
        settings = workspace.settings
        return [collection_identity(workspace.recipe.evaluation.collection, settings.cache, settings.mirror)]

    def make(self, session: Session, missing: list) -> None:
        """Read and check the collection; the numbers are in the manifest."""
        workspace = session.workspace
        spec, settings = workspace.recipe.evaluation.collection, workspace.settings
        collection = open_collection(spec, settings.cache, settings.mirror)
        info = {
            "passages": len(collection.passages),
            "topics": len(collection.topics),
            "judgements": len(collection.qrels),
            "remarks": list(collection.remarks),
            "licence": licences([spec])[spec],
        }
        path, made_from = workspace.path(self), workspace.fingerprint_of(self)
        with artefacts.writing(path, self.format, made_from, info) as scratch:
            _write(scratch, collection)


COLLECTION = JudgedCollection()


def collection_info(session: Session, *needed: str) -> dict:
    """Make the test collection if it is missing; returns the facts in its manifest.

    Args:
        session: the session.
        needed: parts that the verb needs: ``topics``, ``judgements``.

    Raises:
        DataError: a needed part is missing; this is raised before any other work.
    """
    session.make(COLLECTION)
    info = session.workspace.info(COLLECTION)
    for part in needed:
        if not info[part]:
            advice = "add qrels.txt to measure" if part == "judgements" else "add topics.tsv to search"
            what = f"the collection has no {part}"
            advice += "; run does what can be done without"
            raise DataError(session.workspace.recipe.evaluation.collection, what, advice)
    return info


def licences(specs: Iterable[str]) -> dict[str, str]:
    """The licence of each data set."""
    known = datasets()
    return {spec: known[spec].licence if spec in known else "given by the user" for spec in specs}


def _write(folder: Path, collection: Collection) -> None:
    for name, kind in (("passages", Passage), ("topics", Topic)):
        columns = {field: [getattr(record, field) for record in getattr(collection, name)] for field in kind.__slots__}
        schema = pa.schema([(field, pa.string()) for field in kind.__slots__])
        pq.write_table(pa.table(columns, schema), folder / f"{name}.parquet")
    write_qrels(folder / "qrels.txt", collection.qrels)
    write_qrels(folder / "dangling.txt", dangling(collection))
    (folder / "unjudged.txt").write_text("".join(f"{qid}\n" for qid in unjudged(collection)))
