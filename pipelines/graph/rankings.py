"""Rankings that runs share: what the same encoder finds for the same topics among the same passages is searched once.

The runs of a study differ in their students alone. Without this each would search again for zero-shot, the ceiling and
the pretrained encoders. BM25 and fusions take seconds and are not kept.
"""

from functools import cache

from optical import artefacts
from optical.artefacts import Fingerprint
from optical.evaluation.pretrained import Pretrained
from optical.evaluation.runs import Run, read_run, write_run
from optical.evaluation.systems import Reading, System
from pipelines.graph.baselines import translated_by
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.pretrained import embeddings_node, encoder_node
from pipelines.graph.searching import ENCODERS, read_topics, search
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Context, Workspace

_FILE = "ranking.trec"


def shared_ranking(session: Context, system: System) -> Run:
    """The ranking of a system whose queries an encoder reads, made if no run has made it."""
    node = _node(system)
    node.ensure(session)
    return read_run(session.workspace.path(node) / _FILE)


@cache
def _node(system: System) -> Node:
    def make(session: Context, path: object, identity: Fingerprint) -> None:
        workspace = session.workspace
        topics = read_topics(workspace)
        with session.work("search"):
            found = search(workspace, system, topics)
        with artefacts.writing(workspace.path(node), node.kind, identity) as scratch:
            write_run(scratch / _FILE, found, "optical")

    node = Node(kind="ranking", version=1, made_from=lambda workspace: _made_from(workspace, system), make=make)
    return node


def _made_from(workspace: Workspace, system: System) -> list[object]:
    """The topics, what reads them, and what it searches."""
    made_by, recipe = system.made_by, workspace.recipe
    read = [COLLECTION, recipe.teacher.query_length]
    if isinstance(made_by, Pretrained):
        return [*read, encoder_node(made_by.spec), embeddings_node(made_by.spec), recipe.index.depth]
    searched = [EMBEDDINGS, CANDIDATES, workspace.decisive["index"]]
    if isinstance(made_by, Reading):
        return [*read, ENCODERS[made_by.encoder], made_by.text, *searched]
    return [*read, TEACHER, translated_by(made_by), *searched]
