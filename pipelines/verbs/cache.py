"""cache: the target side of the training pairs through the teacher, once for every epoch and every trial."""

from optical.data.batches.token_shards import open_tokens
from pipelines.session import Session
from pipelines.teacher_cache import ensure_teacher_cache
from pipelines.verbs.train import make_ready


def cache(session: Session) -> dict:
    """Make the teacher cache unless it is there; returns its size. A run reads it if its ``teacher.cache`` says so."""
    make_ready(session)
    ensure_teacher_cache(session)
    workspace = session.workspace
    facts = workspace.teacher_cache.open(open_tokens(workspace.tokens)).facts
    return {**facts, "folder": str(workspace.teacher_cache.folder)}
