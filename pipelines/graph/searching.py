"""How each kind of system makes its ranking of the passages."""

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from optical.evaluation.baselines import Bm25, Fusion, Translation
from optical.evaluation.pretrained import Pretrained
from optical.evaluation.runs import Run
from optical.evaluation.systems import Maker, Reading, System
from optical.evaluation.translations import read_translations
from optical.index.kinds import exact
from optical.tracking.progress import Progress
from pipelines.graph.baselines import translated_by
from pipelines.graph.collection import COLLECTION
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.pretrained import embeddings_node, encoder_node
from pipelines.graph.student import STUDENT, STUDENT_BRIDGE, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace

if TYPE_CHECKING:
    from optical.index.retriever import Retriever

ENCODERS = {"teacher": TEACHER, "start": STUDENT_START, "bridge": STUDENT_BRIDGE, "student": STUDENT}
"""The encoders of a run, by the names that protocols give them."""


def read_topics(workspace: Workspace) -> pa.Table:
    """qid, query and english of every topic."""
    return pq.read_table(workspace.path(COLLECTION) / "topics.parquet")


def search(workspace: Workspace, system: System, topics: pa.Table) -> Run:
    """A system's ranking of the passages for every topic; a fusion is made of the rankings of others instead.

    Args:
        workspace: the run's, with everything made that its runs are made from.
        system: one of the run's.
        topics: qid, query and english of every topic.
    """
    made_by, depth = system.made_by, workspace.recipe.index.depth
    if isinstance(made_by, Fusion):
        raise TypeError(f"{system.name} is made of other rankings")
    read = {qid: text for qid, text in _texts(workspace, made_by, topics).items() if text}
    with Progress(f"search {system.name}", len(read), "queries") as progress:
        if isinstance(made_by, Bm25):
            from optical.index.bm25 import bm25_run

            passages = pq.read_table(workspace.path(COLLECTION) / "passages.parquet", columns=["docid", "text"])
            docids, contents = passages["docid"].to_pylist(), passages["text"].to_pylist()
            return bm25_run(docids, contents, read, made_by.k1, made_by.b, depth, progress.advance)
        return retriever(workspace, made_by).run(list(read), list(read.values()), progress.advance)


def retriever(workspace: Workspace, made_by: Reading | Pretrained | Translation) -> "Retriever":
    """An encoder of the run over the teacher's embeddings; a pretrained one searches its own exactly."""
    import torch

    from optical.index.embeddings import open_embeddings
    from optical.index.retriever import Retriever

    resources, index = workspace.settings.resources, workspace.recipe.index
    torch.set_num_threads(resources.threads or torch.get_num_threads())
    own = made_by if isinstance(made_by, Pretrained) else None
    encoder = encoder_node(own.spec) if own else TEACHER
    if isinstance(made_by, Reading):
        encoder = ENCODERS[made_by.encoder]
    embeddings = embeddings_node(own.spec) if own else EMBEDDINGS
    return Retriever.open(
        workspace.path(encoder),
        workspace.recipe.teacher.query_length,
        open_embeddings(workspace.path(embeddings), workspace.fingerprint_of(embeddings), verify=False),
        exact.Config(depth=index.depth) if own else index,
        workspace.path(CANDIDATES) if workspace.has(CANDIDATES) and not own else None,
        resources.use_gpu,
        pooled=own is not None and own.pooled,
    )


def _texts(workspace: Workspace, made_by: Maker, topics: pa.Table) -> dict[str, str]:
    """What a system reads of every topic, by topic id."""
    if node := translated_by(made_by):
        return read_translations(workspace.path(node))
    english = (isinstance(made_by, Reading) and made_by.text == "english") or (
        isinstance(made_by, Bm25) and made_by.reads == "english"
    )
    column = topics["english" if english else "query"]
    return dict(zip(topics["qid"].to_pylist(), column.to_pylist(), strict=True))
