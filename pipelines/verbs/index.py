"""index: the collection's passages through the teacher's document encoder, once for every student.

A kind of index that needs more than the embeddings (``index.search``) builds it from them.
"""

import os
from pathlib import Path

import pyarrow.parquet as pq

from optical import artefacts
from optical.index.embed import embed_passages
from optical.index.embeddings import EMBEDDINGS, open_embeddings, write_embeddings
from optical.model.folder import read_shape
from optical.tracking.progress import Progress
from pipelines.checks.faults import check_data
from pipelines.session import Session
from pipelines.verbs.prepare import prepare
from pipelines.verbs.train import ensure_teacher


def index(session: Session) -> dict:
    """Make what the run searches unless it is there; returns its size."""
    prepare(session)
    workspace = session.workspace
    check_data(workspace)
    ensure_teacher(session)
    with session.making(workspace.embeddings, EMBEDDINGS, workspace.embeddings_fingerprint) as needed:
        if needed:
            _embed(session)
    facts = {"passages": pq.read_metadata(workspace.embeddings / "passages.parquet").num_rows}
    facts |= {"search": workspace.recipe.index.search, "megabytes": _megabytes(workspace.embeddings)}
    if workspace.proposes:
        _propose(session)
        facts["candidates_megabytes"] = _megabytes(workspace.candidates)
    return facts


def _embed(session: Session) -> None:
    workspace = session.workspace
    passages = (workspace.collection / "passages.parquet").absolute()
    total = pq.read_metadata(passages).num_rows
    dim = read_shape(workspace.teacher).dim
    length, resources = workspace.recipe.teacher.document_length, workspace.settings.resources
    with session.work("index"), Progress("index", total, "passages") as progress:
        embedded = embed_passages(passages, workspace.teacher.absolute(), length, resources, os.cpu_count() or 1)
        counted = progress.counting(embedded)
        write_embeddings(workspace.embeddings, workspace.embeddings_fingerprint, dim, counted)


def _propose(session: Session) -> None:
    workspace = session.workspace
    place, made_from = workspace.candidates, workspace.candidates_fingerprint
    with session.making(place, made_from.kind, made_from) as needed:
        if needed:
            with session.work("candidates"), artefacts.writing(place, made_from.kind, made_from) as scratch:
                # Its hashes were checked a moment ago.
                passages = open_embeddings(workspace.embeddings, workspace.embeddings_fingerprint, verify=False)
                workspace.recipe.index.build(passages, scratch)


def _megabytes(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1)
