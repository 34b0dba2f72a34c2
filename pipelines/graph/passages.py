"""What is searched: the teacher's embeddings of the passages, and the index that is built from them."""

import os
from pathlib import Path

import pyarrow.parquet as pq

from optical import artefacts, components
from optical.model.folder import read_shape
from optical.tracking.progress import Progress
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Context


def _embed(session: Context, path: Path, identity: str) -> None:
    from optical.index.embed import embed_passages
    from optical.index.embeddings import write_embeddings

    workspace = session.workspace
    passages, teacher = workspace.path(COLLECTION) / "passages.parquet", workspace.path(TEACHER)
    total, dim = pq.read_metadata(passages).num_rows, read_shape(teacher).dim
    length, resources = workspace.recipe.teacher.document_length, workspace.settings.resources
    with session.work("index"), Progress("index", total, "passages") as progress:
        embedded = embed_passages(passages.absolute(), teacher.absolute(), length, resources, os.cpu_count() or 1)
        write_embeddings(path, identity, dim, progress.counting(embedded))


def _build(session: Context, path: Path, identity: str) -> None:
    from optical.index.embeddings import open_embeddings

    workspace = session.workspace
    with session.work("candidates"), artefacts.writing(path, CANDIDATES.kind, identity) as scratch:
        workspace.recipe.index.build(open_embeddings(workspace.path(EMBEDDINGS), verify=False), scratch)


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
    made_from=lambda workspace: [
        EMBEDDINGS,
        *workspace.recipe.index.made_from(),
        *components.code_of(workspace.recipe.index).values(),
    ],
    make=_build,
    needed=lambda recipe: recipe.index.builds,
)
"""What the index builds from the embeddings; exact search needs nothing else."""
