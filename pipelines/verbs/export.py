"""export: the student as a folder that ``AutoModel`` and ``AutoTokenizer`` load, and ColBERT if that is asked for."""

from pipelines.cli.commands import ExportFormat
from pipelines.graph.model_folder import COLBERT_FOLDER, MODEL_FOLDER, longest_texts
from pipelines.graph.student import STUDENT_START
from pipelines.session import Session


def export(session: Session, format: ExportFormat = "transformers") -> dict:
    """Write ``<run>/export``, or ``<run>/export-colbert``, unless it is there with the same card; returns its path.

    Raises:
        UserError: ColBERT's format cannot hold the student; this is known before the student is trained.
    """
    node = MODEL_FOLDER
    if format == "colbert":
        _check_colbert(session)
        node = COLBERT_FOLDER
    session.make(node)
    return {"student": str(session.workspace.path(node))}


def _check_colbert(session: Session) -> None:
    """Refuse a student that ColBERT's format cannot hold; training changes none of what decides it."""
    from optical.model.elsewhere import check_stanford
    from optical.model.storage import load_encoder

    session.make(STUDENT_START)
    longest = longest_texts(session.workspace.recipe.teacher)
    check_stanford(load_encoder(session.workspace.path(STUDENT_START)), longest)
