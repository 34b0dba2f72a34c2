"""train: the distilled student, after everything that it is made from."""

from collections.abc import Sequence
from pathlib import Path

from optical.errors import DataError
from optical.tracking.journal import rows
from pipelines.graph.student import STUDENT, student_job
from pipelines.session import Session


def train(session: Session) -> dict:
    """Train the student if it is missing; returns the number of steps, the last loss and the last dev measures."""
    session.make(STUDENT)
    workspace = session.workspace
    return training_facts(student_job(workspace, workspace.folder(STUDENT)).journal)


def training_facts(journal: Path) -> dict:
    """Steps, last loss and dev measures of a training journal, and what a teacher cache saved."""
    written = rows(journal)
    steps = [row for row in written if row["event"] == "step"]
    facts = {"steps": len(steps), "loss": steps[-1]["loss"], **last_dev(written)}
    return facts | ({"teacher_cache": saved} if (saved := _savings(written)) else {})


def last_dev(journal: Sequence[dict]) -> dict[str, float]:
    """The dev measures after the last step, those that this journal's version knew.

    Raises:
        DataError: there are none, as in a damaged journal.
    """
    measured = [row for row in journal if row["event"] == "dev"]
    if not measured:
        raise DataError("the journal of a training", "has no dev measures", "delete the run's student: it trains anew")
    last = measured[-1]
    return {name: value for name, value in last.items() if name.startswith("dev_")}


def _savings(journal: Sequence[dict]) -> dict:
    """What the cache saved a training, from its journal: megabytes, seconds of a step, and their share of the step.

    The seconds are those that the teacher needed for as many pairs when the cache was made. Empty without a cache.
    """
    facts = [row for row in journal if row["event"] == "start"][-1].get("teacher_cache")
    steps = [row for row in journal if row["event"] == "step"]
    if not (facts and steps):
        return {}
    saved = facts["encoder_seconds"] / facts["pairs"] * sum(row["pairs"] for row in steps) / len(steps)
    step = sum(row["seconds"] for row in steps) / len(steps)
    share = round(saved / (saved + step), 3)
    return {"megabytes": facts["megabytes"], "seconds_saved_per_step": round(saved, 4), "share_of_step": share}
