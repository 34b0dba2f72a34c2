"""cache: the target side of the training pairs through the teacher, once for every epoch and every trial."""

from pipelines.graph.student import TEACHER_CACHE, cache_facts
from pipelines.session import Session


def cache(session: Session) -> dict:
    """Make the teacher cache if it is missing; returns its size. A run reads it if its ``teacher.cache`` is set."""
    session.make(TEACHER_CACHE)
    workspace = session.workspace
    return {**cache_facts(workspace), "folder": str(workspace.path(TEACHER_CACHE).absolute())}
