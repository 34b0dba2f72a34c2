"""The watch of a campaign: progress on standard error, and every training as a nested MLflow run."""

import threading
from collections.abc import Callable, Sequence
from functools import cache

from ray import tune
from ray.tune.experiment import Trial

from optical.tracking.follower import Follower
from optical.tracking.mlflow_mirror import MlflowMirror
from optical.tracking.progress import LineWriter
from optical.train.job import TrainJob
from pipelines.graph.bitext import BITEXT
from pipelines.graph.student import STUDENT
from pipelines.graph.teacher import TEACHER
from tune.plan import Training
from tune.trial import JOB, TrialMaker

MirrorOf = Callable[[str, TrainJob], MlflowMirror]
"""Makes the MLflow run of a training, from its name and its job."""


class CampaignWatch(tune.Callback):
    """Tune calls it with every result. It cannot stop a training, and it never waits.

    The MLflow run of a training follows its own journal, so it has every step.
    """

    def __init__(self, maker: TrialMaker, measure: str, mirror: MirrorOf) -> None:
        self._maker, self._measure, self._mirror_of = maker, measure, mirror
        self._trainings: Sequence[tuple[Training, TrainJob]] = ()
        self._open: dict[str, tuple[MlflowMirror, Follower]] = {}
        self._line = LineWriter()
        self.ended = 0

    def __getstate__(self) -> dict:
        # Tune pickles its callbacks for a restore that this project never does; threads and streams cannot be pickled.
        return {}

    def begin(self, trainings: Sequence[tuple[Training, TrainJob]]) -> None:
        """Take over the trainings that Tune is about to run, in the order of their numbers."""
        self._trainings, self.ended = trainings, 0
        steps = sorted({training.max_steps or 0 for training, _ in trainings})
        told = " and ".join("all steps" if most == 0 else f"{most} steps" for most in steps)
        self._line.show(f"tune  {len(trainings)} trainings of {told}", final=True)

    def on_trial_start(self, iteration: int, trials: list, trial: Trial, **info: object) -> None:
        """Open the training's MLflow run."""
        if trial.trial_id in self._open:
            return
        training, job = self._trainings[trial.config[JOB]]
        workspace = self._maker.workspace(training)
        mirror = self._mirror_of(workspace.run_dir.name, job)
        mirror.log_params(workspace.recipe.as_dict())
        mirror.set_tags({node.kind: workspace.fingerprint_of(node) for node in (STUDENT, BITEXT, TEACHER)})
        follower = Follower(job.journal, [mirror])
        follower.__enter__()
        self._open[trial.trial_id] = (mirror, follower)

    def on_trial_result(self, iteration: int, trials: list, trial: Trial, result: dict, **info: object) -> None:
        """Show one evaluation of the dev measures."""
        training, _ = self._trainings[trial.config[JOB]]
        value = result.get(self._measure, 0.0)
        self._line.show(
            f"tune  {self.ended}/{len(self._trainings)} trainings done"
            f"  trial {training.trial} step {result.get('step', 0)}  {self._measure} {value:.3f}"
        )

    def on_trial_complete(self, iteration: int, trials: list, trial: Trial, **info: object) -> None:
        """Close the training's MLflow run."""
        self._end(trial, "FINISHED")

    def on_trial_error(self, iteration: int, trials: list, trial: Trial, **info: object) -> None:
        """Close the training's MLflow run as failed."""
        self._end(trial, "FAILED")

    def close(self) -> None:
        """Close what an interrupted campaign leaves open, as killed."""
        for opened in self._open.values():
            _close(*opened, "KILLED")
        self._open.clear()

    def _end(self, trial: Trial, status: str) -> None:
        self.ended += 1
        if opened := self._open.pop(trial.trial_id, None):
            threading.Thread(target=_close, args=(*opened, status)).start()
        self._line.show(f"tune  {self.ended}/{len(self._trainings)} trainings done", final=True)


def child_mirror(uri: str, experiment: str, parent: MlflowMirror) -> MirrorOf:
    """A function that makes the MLflow run of a training, nested under the campaign's run; a rerun continues it."""
    parent_id = cache(parent.wait_for_run)
    return lambda name, job: MlflowMirror(
        uri, experiment, name, parent_id(), run_id_file=job.folder.parent / "mlflow_run_id"
    )


def _close(mirror: MlflowMirror, follower: Follower, status: str) -> None:
    follower.stop()
    mirror.finish(status)
