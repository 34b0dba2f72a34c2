"""Pretrained encoders that a run is compared with: each reads its queries and searches embeddings of its own.

Its nodes are made by functions of its spec, always the same node for the same spec. An artefact is named by the weights
and not by the spec, so every run that needs the same embeddings shares them, also a run whose teacher it is.
"""

from functools import cache, partial
from pathlib import Path

from optical.errors import UserError
from optical.evaluation.pretrained import FIELD, Pretrained, parse_pretrained
from optical.model.folder import weights_fingerprint
from optical.model.weights import find_weights, is_hub_id
from optical.recipe import Recipe
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.passages import EMBEDDINGS, embed
from pipelines.graph.workspace import Workspace


def encoder_node(spec: str) -> Node:
    """The encoder of a spec, used where it lies."""
    encoder = parse_pretrained(spec)
    return _encoder(encoder.weights, encoder.revision)


@cache
def embeddings_node(spec: str) -> Node:
    """A pretrained encoder's embeddings of all passages."""
    encoder = parse_pretrained(spec)
    own = encoder_node(spec)

    def made_from(workspace: Workspace) -> list[object]:
        pooled = ["pooled"] if encoder.pooled else []
        return [COLLECTION, own, workspace.recipe.teacher.document_length, *pooled]

    return Node(
        kind=EMBEDDINGS.kind,
        version=EMBEDDINGS.version,
        after=(CHECKED_DATA,),
        made_from=made_from,
        make=partial(embed, encoder=own, pooled=encoder.pooled, name=encoder.name),
    )


def pretrained_embeddings(recipe: Recipe) -> list[Node]:
    """The embeddings of every pretrained encoder of a recipe."""
    return [embeddings_node(spec) for spec in recipe.evaluation.pretrained]


def find_pretrained(encoder: Pretrained, cache: Path) -> Path:
    """The folder of a pretrained encoder.

    Raises:
        UserError: there are no such weights, their package is not installed, or a hub id has no commit.
        DataError: the folder is incomplete, or packaged weights differ from their pinned hash.
        InfrastructureError: the hub cannot be reached and its cache has no copy.
    """
    if not encoder.revision and is_hub_id(encoder.weights):
        what = f"names {encoder.weights}, which is no folder here, and as a hub id lacks its commit"
        raise UserError(FIELD, what, f"write {encoder.kind}:owner/model@<commit of 40 digits>")
    try:
        return find_weights(encoder.weights, encoder.revision, cache)
    except UserError as error:
        raise UserError(FIELD, *error.parts[1:]) from error


@cache
def _encoder(weights: str, revision: str | None) -> Node:
    def folder(workspace: Workspace) -> Path:
        return find_pretrained(Pretrained(False, weights, revision), workspace.settings.cache)

    node = Node(kind="teacher", made_from=lambda workspace: [weights_fingerprint(workspace.path(node))], folder=folder)
    return node
