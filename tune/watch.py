"""Watching a campaign: progress on standard error, and every trial as a nested MLflow run."""

from collections.abc import Callable

from ray import tune

from optical.tracking.mlflow_mirror import MlflowMirror
from optical.tracking.progress import LineWriter


class CampaignWatch(tune.Callback):
    """Told by Tune of every result; nothing it does can stop a trial."""

    def __init__(self, total: int, mirror: Callable[[str], MlflowMirror]) -> None:
        self.total = total
        self.best = 0.0
        self.ended = 0
        self._mirror_of = mirror
        self._mirrors: dict[str, MlflowMirror] = {}
        self._line = LineWriter()

    def __getstate__(self) -> dict:
        # Tune pickles its callbacks for a restore that this project never does; threads and streams stay here.
        return {}

    def on_trial_start(self, iteration: int, trials: list, trial: object, **info: object) -> None:
        """Open the trial's MLflow run."""
        if trial.trial_id not in self._mirrors:
            self._mirrors[trial.trial_id] = mirror = self._mirror_of(trial.trial_id)
            mirror.log_params(trial.config)

    def on_trial_result(self, iteration: int, trials: list, trial: object, result: dict, **info: object) -> None:
        """Show and mirror one look at the dev measure."""
        self.best = max(self.best, result.get("dev_agreement", 0.0))
        metrics = {name: result[name] for name in ("dev_agreement", "loss") if name in result}
        self._mirrors[trial.trial_id].log_metrics(metrics, result["step"])
        self._line.show(
            f"tune  {self.ended}/{self.total} trials done  {trial.trial_id} step {result['step']}"
            f"  dev agreement {result.get('dev_agreement', 0.0):.3f}  best {self.best:.3f}"
        )

    def on_trial_complete(self, iteration: int, trials: list, trial: object, **info: object) -> None:
        """Close the trial's MLflow run."""
        self._end(trial, "FINISHED")

    def on_trial_error(self, iteration: int, trials: list, trial: object, **info: object) -> None:
        """Close the trial's MLflow run as failed."""
        self._end(trial, "FAILED")

    def _end(self, trial: object, status: str) -> None:
        self.ended += 1
        self._mirrors[trial.trial_id].finish(status)
        self._line.show(f"tune  {self.ended}/{self.total} trials done  best dev agreement {self.best:.3f}", final=True)


def child_mirror(uri: str, experiment: str, parent: MlflowMirror) -> Callable[[str], MlflowMirror]:
    """Makes one MLflow run per trial, nested under the campaign's."""

    def make(trial_id: str) -> MlflowMirror:
        return MlflowMirror(uri, experiment, f"trial-{trial_id}", parent.wait_for_run())

    return make
