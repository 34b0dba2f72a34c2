"""The page of a study: the comparison of its systems, what its plan adds, and the time it took."""

import os

from optical.report.blocks import Heading, Paragraph
from optical.tracking.progress import duration
from pipelines.cli.commands import CompareCommand
from pipelines.groups import named_group
from pipelines.studies.kinds.base import Findings
from pipelines.studies.work import Study
from pipelines.verbs.compare import Compared, compare_groups


def write_page(study: Study, findings: Findings) -> Compared:
    """Compare the tested runs of a study, and write the page into the study's folder.

    Raises:
        UserError: fewer than two systems.
    """
    settings, cores = study.settings, os.cpu_count() or 1
    groups = [named_group(name, folders, settings) for name, folders in findings.runs.items()]
    hours = study.seconds * cores / 3600
    time = (
        f"All {len(study.outcomes)} trainings with their tests took {duration(study.seconds)} of work, which is at "
        f"most {hours:.1f} core-hours on {cores} cores."
    )
    evaluation = study.recipe.evaluation
    command = CompareCommand(
        settings=settings,
        reference=evaluation.baseline,
        out=study.folder,
        resamples=evaluation.resamples,
        seed=evaluation.seed,
    )
    asked = [Heading("The study"), Paragraph(f"{study.config.question}. {time}"), *findings.blocks]
    return compare_groups(groups, command, asked)
