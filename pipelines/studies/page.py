"""The pages of a study: the comparison under each of its conditions, what its plan adds, and the time it took."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import write_json
from optical.report.blocks import Heading, Paragraph
from optical.report.conditions import ConditionsContent, write_conditions
from optical.tracking.progress import duration
from pipelines.cli.commands import CompareCommand
from pipelines.groups import named_group
from pipelines.studies.kinds.base import Comparison, Findings
from pipelines.studies.work import Study
from pipelines.verbs.compare import Compared, compare_groups

_NO_FOLDER = re.compile(r"[^\w.%+=-]+")
_LONGEST = 60
"""Characters of a condition in the name of its folder; at most 4 bytes each, and names have 255."""


@dataclass(frozen=True)
class Overview:
    """The comparison under each condition, and the page of all of them."""

    content: ConditionsContent
    compared: Mapping[str, Compared]
    page: Path

    def as_dict(self) -> dict[str, object]:
        """The content of ``comparison.json``, and the ``--json`` line."""
        conditions = {condition: found.as_dict() for condition, found in self.compared.items()}
        return {"conditions": conditions, "fingerprint": self.content.fingerprint, "page": str(self.page)}


def write_page(study: Study, findings: Findings) -> Compared | Overview:
    """Compare the tested runs of a study, and write the page into the study's folder.

    With several conditions each has a page in a folder of its own, and the study's page is their overview.

    Raises:
        UserError: fewer than two systems.
    """
    first, *others = findings.comparisons
    if not (others or first.condition):
        return _compared(study, first, study.folder)
    compared = {
        found.condition: _compared(
            study, found, study.folder / f"{number}-{_NO_FOLDER.sub('-', found.condition)[:_LONGEST]}"
        )
        for number, found in enumerate(findings.comparisons, start=1)
    }
    content = ConditionsContent(
        found={condition: found.content.found for condition, found in compared.items()},
        pages={condition: found.page.relative_to(study.folder) for condition, found in compared.items()},
        measure=study.recipe.evaluation.measures[0],
        collections=tuple(dict.fromkeys(found.content.collection for found in compared.values())),
        fingerprint=study.fingerprint,
        said=_asked(study),
    )
    overview = Overview(content, compared, write_conditions(study.folder, content))
    write_json(study.folder / "comparison.json", overview.as_dict())
    return overview


def _compared(study: Study, comparison: Comparison, folder: Path) -> Compared:
    groups = [named_group(name, folders, study.settings) for name, folders in comparison.runs.items()]
    evaluation = comparison.recipe.evaluation
    command = CompareCommand(
        settings=study.settings,
        reference=evaluation.baseline,
        out=folder,
        resamples=study.config.resamples,
        seed=evaluation.seed,
    )
    asked = [Heading("The study"), Paragraph(_asked(study)), *comparison.blocks]
    return compare_groups(groups, command, asked)


def _asked(study: Study) -> str:
    question, cores = study.config.question, os.cpu_count() or 1
    hours = study.seconds * cores / 3600
    return (
        f"{question[0].upper()}{question[1:]}. All {len(study.outcomes)} trainings with their tests took "
        f"{duration(study.seconds)} of work, which is at most {hours:.1f} core-hours on {cores} cores."
    )
