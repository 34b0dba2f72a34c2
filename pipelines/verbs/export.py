"""export: the student as a folder that ``AutoModel`` and ``AutoTokenizer`` load."""

from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.session import Session


def export(session: Session) -> dict:
    """Write ``<run>/export`` unless it is there with the same card; returns its path."""
    session.make(MODEL_FOLDER)
    return {"student": str(session.workspace.path(MODEL_FOLDER))}
