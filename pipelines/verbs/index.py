"""index: the collection's passages through the teacher's document encoder, once for every student."""

import os

import pyarrow.parquet as pq

from optical.index.embed import embed_passages
from optical.index.store import KIND, write_index
from optical.model.encoder import Encoder
from optical.tracking.progress import Progress
from pipelines.session import Session
from pipelines.verbs.prepare import prepare
from pipelines.verbs.train import ensure_teacher


def index(session: Session) -> dict:
    """Build the index unless it is there; returns its size."""
    prepare(session)
    ensure_teacher(session)
    workspace = session.workspace
    with session.making(workspace.index, KIND, workspace.index_fingerprint) as needed:
        if needed:
            _build(session)
    passages = pq.read_metadata(workspace.index / "passages.parquet").num_rows
    size = sum(file.stat().st_size for file in workspace.index.iterdir())
    return {"passages": passages, "megabytes": round(size / 1e6, 1)}


def _build(session: Session) -> None:
    workspace = session.workspace
    passages = (workspace.collection / "passages.parquet").absolute()
    total = pq.read_metadata(passages).num_rows
    dim = Encoder.load(workspace.teacher).dim
    length, resources = workspace.recipe.teacher.document_length, workspace.settings.resources
    with session.work("index"), Progress("index", total, "passages") as progress:
        embedded = embed_passages(passages, workspace.teacher.absolute(), length, resources, os.cpu_count() or 1)
        counted = progress.counting(embedded)
        write_index(workspace.index, workspace.index_fingerprint, dim, counted, workspace.recipe.index)
