"""One trial: a real distillation of one sampled recipe, scored by the dev measure."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ray import tune
from ray.tune.integration.ray_train import TuneReportCallback

from optical import artefacts
from optical.data.collections.held_out import Compared
from optical.errors import DataError
from optical.recipe import Recipe
from optical.tracking.journal import rows
from optical.train.job import TrainJob
from optical.train.ray import fit
from pipelines.environment import Settings
from pipelines.graph.node import locked
from pipelines.graph.student import STUDENT, student_job
from pipelines.graph.workspace import Workspace
from tune.space import Point, applied

TRIAL_CPUS = 0.25
"""Logical CPUs of a trial's driver, which only waits; its workers ask for their own."""


@dataclass(frozen=True)
class TrialMaker:
    """Everything a trial needs besides its point. It can be pickled, because Ray runs the trial in another process."""

    recipe: Recipe
    settings: Settings
    folder: Path
    compared: Mapping[bool, Compared]
    """What the campaign's pairs are compared with: another machine may have other collections at hand."""

    def workspace(self, point: Point) -> Workspace:
        """The workspace of a point's recipe."""
        workspace = Workspace(applied(self.recipe, point), self.settings)
        workspace.compared.update(self.compared)
        return workspace

    def job(self, point: Point) -> TrainJob:
        """The training job of a point; its folder is named by the student's fingerprint, so a rerun finds it."""
        workspace = self.workspace(point)
        return student_job(workspace, self.folder / workspace.fingerprint_of(STUDENT)[:12])

    def __call__(self, point: Point) -> None:
        """Train and report the dev measures to Tune; a trial that ended earlier reports those of its journal."""
        logging.getLogger("ray").setLevel(logging.ERROR)
        job = self.job(point)
        # Equal points share a folder, and a search among few choices draws some of them twice.
        with locked(job.folder):
            if artefacts.exists(job.result, "encoder", job.fingerprint):
                for row in rows(job.journal):
                    if row["event"] == "dev" and row["step"]:
                        if "dev_spearman" not in row:
                            what = "is of an older version, which did not record dev_spearman"
                            raise DataError(job.folder, what, "delete this folder: the trial trains anew")
                        tune.report({name: row[name] for name in ("step", "dev_mrr", "dev_spearman")})
                return
            job.folder.mkdir(parents=True, exist_ok=True)
            fit(job, self.settings.resources, [TuneReportCallback()])
