"""Steps without an artefact: the page about cleaning, and the checks of data before anything is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Step

if TYPE_CHECKING:
    from pipelines.session import Session


class CleanData(Step):
    """All data of the run, and the page ``cleaning.md`` about what was done to them."""

    after = (COLLECTION, BITEXT, QUESTIONS)

    def ensure(self, session: Session) -> None:
        """Write the page."""
        from pipelines.cleaning import report_cleaning

        report_cleaning(session)


CLEAN_DATA = CleanData()


class CheckedData(Step):
    """Data that are enough for training and for the index."""

    after = (CLEAN_DATA,)

    def ensure(self, session: Session) -> None:
        """Refuse data that would fail later.

        Raises:
            DataError: too few sentence pairs or questions.
            UserError: too few passages for ``index.factory``.
        """
        from pipelines.checks.faults import check_data

        check_data(session.workspace)


CHECKED_DATA = CheckedData()
