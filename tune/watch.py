"""The watch of a campaign: progress on standard error, and every trial as a nested MLflow run."""

import threading
from collections.abc import Callable
from functools import cache

from ray import tune
from ray.tune.experiment import Trial

from optical.tracking.follower import Follower
from optical.tracking.mlflow_mirror import MlflowMirror
from optical.tracking.progress import LineWriter
from pipelines.graph.bitext import BITEXT
from pipelines.graph.student import STUDENT
from pipelines.graph.teacher import TEACHER
from tune.trial import TrialMaker


class CampaignWatch(tune.Callback):
    """Tune calls it with every result. It cannot stop a trial, and it never waits.

    A trial's MLflow run follows the trial's own journal, so it has every step.
    """

    def __init__(self, total: int, maker: TrialMaker, mirror: Callable[[str], MlflowMirror]) -> None:
        self.total = total
        self.best = 0.0
        self.ended = 0
        self._maker = maker
        self._mirror_of = mirror
        self._open: dict[str, tuple[MlflowMirror, Follower]] = {}
        self._line = LineWriter()

    def __getstate__(self) -> dict:
        # Tune pickles its callbacks for a restore that this project never does; threads and streams cannot be pickled.
        return {}

    def on_trial_start(self, iteration: int, trials: list, trial: Trial, **info: object) -> None:
        """Open the trial's MLflow run."""
        if trial.trial_id in self._open:
            return
        workspace = self._maker.workspace(trial.config)
        mirror = self._mirror_of(trial.trial_id)
        mirror.log_params(workspace.recipe.as_dict())
        mirror.set_tags({node.kind: workspace.fingerprint_of(node) for node in (STUDENT, BITEXT, TEACHER)})
        follower = Follower(self._maker.job(trial.config).journal, [mirror])
        follower.__enter__()
        self._open[trial.trial_id] = (mirror, follower)

    def on_trial_result(self, iteration: int, trials: list, trial: Trial, result: dict, **info: object) -> None:
        """Show one evaluation of the dev measures."""
        self.best = max(self.best, result.get("dev_spearman", 0.0))
        self._line.show(
            f"tune  {self.ended}/{self.total} trials done  {trial.trial_id} step {result['step']}"
            f"  dev Spearman {result.get('dev_spearman', 0.0):.3f}  best {self.best:.3f}"
        )

    def on_trial_complete(self, iteration: int, trials: list, trial: Trial, **info: object) -> None:
        """Close the trial's MLflow run."""
        self._end(trial, "FINISHED")

    def on_trial_error(self, iteration: int, trials: list, trial: Trial, **info: object) -> None:
        """Close the trial's MLflow run as failed."""
        self._end(trial, "FAILED")

    def _end(self, trial: Trial, status: str) -> None:
        self.ended += 1
        threading.Thread(target=_close, args=(*self._open.pop(trial.trial_id), status)).start()
        self._line.show(f"tune  {self.ended}/{self.total} trials done  best dev Spearman {self.best:.3f}", final=True)


def child_mirror(uri: str, experiment: str, parent: MlflowMirror) -> Callable[[str], MlflowMirror]:
    """A function that makes the MLflow run of a trial, nested under the campaign's run."""
    parent_id = cache(parent.wait_for_run)
    return lambda trial_id: MlflowMirror(uri, experiment, f"trial-{trial_id}", parent_id())


def _close(mirror: MlflowMirror, follower: Follower, status: str) -> None:
    follower.stop()
    mirror.finish(status)
