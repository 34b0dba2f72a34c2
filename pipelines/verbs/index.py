"""index: the collection's passages through the teacher's document encoder, once for every student."""

from pathlib import Path

import pyarrow.parquet as pq

from optical.evaluation.pretrained import Pretrained
from pipelines.graph.passages import CANDIDATES, EMBEDDINGS
from pipelines.graph.pretrained import embeddings_node, pretrained_embeddings
from pipelines.session import Session


def index(session: Session) -> dict:
    """Make what the run searches if it is missing; returns its size.

    Exact search reads the embeddings alone; a faiss index over them is made if ``index.search`` is ``faiss``. Each
    pretrained encoder to compare with has embeddings of its own.
    """
    workspace = session.workspace
    session.make(EMBEDDINGS, CANDIDATES, *pretrained_embeddings(workspace.recipe))
    embeddings = workspace.path(EMBEDDINGS)
    facts = {"passages": pq.read_metadata(embeddings / "passages.parquet").num_rows}
    facts |= {"search": workspace.recipe.index.search, "megabytes": _megabytes(embeddings)}
    if workspace.has(CANDIDATES):
        facts["candidates_megabytes"] = _megabytes(workspace.path(CANDIDATES))
    folders = {
        system.name: workspace.path(embeddings_node(system.made_by.spec))
        for system in workspace.recipe.evaluation.compared
        if isinstance(system.made_by, Pretrained)
    }
    if folders:
        facts["pretrained_megabytes"] = {name: _megabytes(folder) for name, folder in folders.items()}
    return facts


def _megabytes(folder: Path) -> float:
    return round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6, 1)
