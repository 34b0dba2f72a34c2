"""What is searched: embeddings of the passages, and the index that is built from the teacher's."""

import os
from functools import partial
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


def embed(session: Context, path: Path, identity: str, encoder: Node, pooled: bool = False, name: str = "") -> None:
    """Write the embeddings of all passages.

    Args:
        session: the session.
        path: of the artefact.
        identity: its fingerprint.
        encoder: node of the document encoder.
        pooled: one vector for each passage instead of one for each token.
        name: of the encoder in the progress line, for one that is not the teacher.
    """
    from optical.index.embed import embed_passages
    from optical.index.embeddings import write_embeddings

    workspace = session.workspace
    passages, folder = workspace.path(COLLECTION) / "passages.parquet", workspace.path(encoder)
    total, dim = pq.read_metadata(passages).num_rows, read_shape(folder, pooled).dim
    length, resources = workspace.recipe.teacher.document_length, workspace.settings.resources
    with session.work("index"), Progress(f"index {name}".strip(), total, "passages") as progress:
        cores = os.cpu_count() or 1
        embedded = embed_passages(passages.absolute(), folder.absolute(), length, resources, cores, pooled)
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
    make=partial(embed, encoder=TEACHER),
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
