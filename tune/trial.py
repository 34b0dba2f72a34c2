"""One training of a campaign as Ray Tune runs it: a real distillation in the folder of an ordinary run."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from ray.tune.integration.ray_train import TuneReportCallback

from optical.data.collections.held_out import Compared
from optical.errors import InfrastructureError, OpticalError
from optical.recipe import Recipe
from optical.resources import Resources
from optical.train.job import TrainJob
from optical.train.ray import fit
from pipelines.environment import Settings
from pipelines.graph.node import locked
from pipelines.graph.student import STUDENT, student_job
from pipelines.graph.workspace import Workspace
from tune.plan import Training
from tune.space import Point, applied

JOB = "job"
"""The key of a Tune trial's configuration: which of the jobs it is."""


@dataclass(frozen=True)
class TrialMaker:
    """The recipe, and with it the run, of every training.

    Args:
        recipe: of the campaign.
        points: the sampled point of every trial.
        settings: of every run.
        compared: what the campaign's pairs are compared with: another machine may have other collections at hand.
    """

    recipe: Recipe
    points: Sequence[Point]
    settings: Settings
    compared: Mapping[bool, Compared]

    def recipe_of(self, training: Training) -> Recipe:
        """The recipe with the trial's point, and with the steps and the seed of the training."""
        made = applied(self.recipe, self.points[training.trial])
        most = training.max_steps or made.train.max_steps
        return replace(made, train=replace(made.train, max_steps=most, seed=made.train.seed + training.seed))

    def workspace(self, training: Training) -> Workspace:
        """The run of a training: one that ``pipelines run`` finds too."""
        workspace = Workspace(self.recipe_of(training), replace(self.settings, run_name=None))
        workspace.compared.update(self.compared)
        return workspace

    def job(self, training: Training) -> TrainJob:
        """What is trained."""
        workspace = self.workspace(training)
        return student_job(workspace, workspace.folder(STUDENT))


@dataclass(frozen=True)
class TrainOne:
    """What Ray Tune calls with the number of a job; it can be pickled, because Ray runs it in another process."""

    jobs: Sequence[TrainJob]
    resources: Resources

    def __call__(self, config: Mapping[str, int]) -> None:
        """Train; the dev measures are reported to Tune while it goes on.

        A failure of the training itself is in its folder, and no error here: Tune would try again.
        """
        logging.getLogger("ray").setLevel(logging.ERROR)
        job = self.jobs[config[JOB]]
        job.folder.mkdir(parents=True, exist_ok=True)
        # Another campaign may train the same student.
        with locked(job.folder):
            try:
                fit(job, self.resources, [TuneReportCallback()])
            except InfrastructureError:
                raise
            except OpticalError as error:
                logging.getLogger(__name__).info("%s: %s", job.folder, error)
