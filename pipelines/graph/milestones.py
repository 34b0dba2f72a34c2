"""Steps without an artefact: the page about cleaning, and the checks of data before anything is trained."""

from pathlib import Path

from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.workspace import Context


def _report(session: Context, run_dir: Path, fingerprint: str) -> None:
    from pipelines.cleaning import report_cleaning

    report_cleaning(session.workspace)


def _check(session: Context, run_dir: Path, fingerprint: str) -> None:
    from pipelines.checks.faults import check_data

    check_data(session.workspace)


def _check_systems(session: Context, run_dir: Path, fingerprint: str) -> None:
    from pipelines.checks.baselines import check_systems

    check_systems(session.workspace)


POSSIBLE_SYSTEMS = Node(kind="possible-systems", make=_check_systems, after=(COLLECTION,))
"""A test collection that the baselines can search; others are refused."""

CLEAN_DATA = Node(kind="clean-data", make=_report, after=(POSSIBLE_SYSTEMS, BITEXT, QUESTIONS))
"""All data of the run, and the page ``cleaning.md`` about what was done to them."""

CHECKED_DATA = Node(kind="checked-data", make=_check, after=(CLEAN_DATA,))
"""Data that are enough for training and for the index; others are refused."""
