"""What is searched: the teacher's embeddings of the passages, and the faiss index that proposes candidates."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from optical.recipe import Recipe
from optical.tracking.progress import Progress
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.teacher import TEACHER

if TYPE_CHECKING:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session


class PassageEmbeddings(Node):
    """The token embeddings of all passages."""

    kind = "embeddings"
    version = 2
    format = "embeddings"
    after = (CHECKED_DATA,)

    def made_from(self, workspace: Workspace) -> list[object]:
        """The collection, the teacher, and the length to which passages are cut."""
        return [COLLECTION, TEACHER, workspace.recipe.teacher.document_length]

    def make(self, session: Session, missing: list) -> None:
        """Encode all passages with the teacher."""
        from optical.index.embed import embed_passages
        from optical.index.embeddings import write_embeddings
        from optical.model.encoder import Encoder

        workspace = session.workspace
        passages, teacher = workspace.path(COLLECTION) / "passages.parquet", workspace.path(TEACHER)
        total, dim = pq.read_metadata(passages).num_rows, Encoder.load(teacher).dim
        length, resources = workspace.recipe.teacher.document_length, workspace.settings.resources
        with session.work("index"), Progress("index", total, "passages") as progress:
            places = (passages.absolute(), teacher.absolute())
            embedded = progress.counting(embed_passages(*places, length, resources, os.cpu_count() or 1))
            write_embeddings(workspace.path(self), workspace.fingerprint_of(self), dim, embedded)


EMBEDDINGS = PassageEmbeddings()


class CandidateIndex(Node):
    """A faiss index over the embeddings."""

    kind = "candidates"
    version = 1
    format = "candidates"

    def for_recipe(self, recipe: Recipe) -> Node | None:
        """Exact search needs none."""
        return self if recipe.index.search == "faiss" else None

    def made_from(self, workspace: Workspace) -> list[object]:
        """The embeddings, and faiss's description of the index."""
        return [EMBEDDINGS, workspace.recipe.index.factory]

    def make(self, session: Session, missing: list) -> None:
        """Train and fill the index."""
        from optical.index.candidates import write_candidates
        from optical.index.embeddings import open_embeddings

        workspace = session.workspace
        with session.work("candidates"):
            passages = open_embeddings(workspace.path(EMBEDDINGS), verify=False)
            factory = workspace.recipe.index.factory
            write_candidates(workspace.path(self), workspace.fingerprint_of(self), passages.tokens, factory)


CANDIDATES = CandidateIndex()
