"""What is searched: the teacher's embeddings of the passages, and the faiss index that proposes candidates."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from optical.tracking.progress import Progress
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Context


def _embed(session: Context, path: Path, identity: str) -> None:
    from optical.index.embed import embed_passages
    from optical.index.embeddings import write_embeddings
    from optical.model.encoder import Encoder

    workspace = session.workspace
    passages, teacher = workspace.path(COLLECTION) / "passages.parquet", workspace.path(TEACHER)
    total, dim = pq.read_metadata(passages).num_rows, Encoder.load(teacher).dim
    length, resources = workspace.recipe.teacher.document_length, workspace.settings.resources
    with session.work("index"), Progress("index", total, "passages") as progress:
        embedded = embed_passages(passages.absolute(), teacher.absolute(), length, resources, os.cpu_count() or 1)
        write_embeddings(path, identity, dim, progress.counting(embedded))


def _propose(session: Context, path: Path, identity: str) -> None:
    from optical.index.candidates import write_candidates
    from optical.index.embeddings import open_embeddings

    workspace = session.workspace
    with session.work("candidates"):
        passages = open_embeddings(workspace.path(EMBEDDINGS), verify=False)
        write_candidates(path, identity, passages.tokens, workspace.recipe.index.factory)


EMBEDDINGS = Node(
    kind="embeddings",
    version=2,
    after=(CHECKED_DATA,),
    made_from=lambda workspace: [COLLECTION, TEACHER, workspace.recipe.teacher.document_length],
    make=_embed,
)
"""The teacher's token embeddings of all passages."""

CANDIDATES = Node(
    kind="candidates",
    version=1,
    made_from=lambda workspace: [EMBEDDINGS, workspace.recipe.index.factory],
    make=_propose,
    needed=lambda recipe: recipe.index.search == "faiss",
)
"""A faiss index over the embeddings."""
