"""The trainings that a plan asks for, several at a time, on Ray Tune. What is done already is not trained again."""

import os
from collections.abc import Mapping, Sequence

from ray import tune
from ray.tune import FailureConfig

from optical import artefacts
from optical.errors import DataError, InfrastructureError
from optical.tracking.journal import rows
from optical.train import failure
from optical.train.job import TrainJob
from pipelines.session import Session
from pipelines.verbs.train import last_dev
from tune.plan import Result, Training
from tune.table import Row, Table
from tune.trial import JOB, TrainOne, TrialMaker
from tune.watch import CampaignWatch

DRIVER = {"cpu": 0.01}
"""What the driver of a training asks for: it only waits, and its workers ask for their own."""
_RETRIES = 3


class Trainings:
    """Trains, and keeps the table.

    Args:
        session: of the campaign.
        maker: of every training's run.
        table: what has come to its end.
        measure: the dev measure that results are compared by.
        at_once: most trainings at the same time.
        watch: is told of every training that begins or ends.
    """

    def __init__(
        self, session: Session, maker: TrialMaker, table: Table, measure: str, at_once: int, watch: CampaignWatch
    ) -> None:
        self._session, self._maker, self._table = session, maker, table
        self._measure, self._at_once, self._watch = measure, at_once, watch
        self._errors: list[str] = []

    def results(self, wanted: Sequence[Training]) -> Mapping[Training, Result]:
        """Train what is not done; equal trainings are trained once.

        Raises:
            InfrastructureError: a training was lost more often than Ray Tune retries it. No result can take its place.
        """
        jobs = {training: self._maker.job(training) for training in wanted}
        for job in jobs.values():
            self._note(job)
        missing = {job.fingerprint: (training, job) for training, job in jobs.items() if not self._known(job)}
        if missing:
            self._train(list(missing.values()))
        for job in jobs.values():
            self._note(job)
        if lost := {training.trial for training, job in jobs.items() if not self._known(job)}:
            trials = ", ".join(map(str, sorted(lost)))
            why = "; ".join(self._errors) or "no error was reported"
            what = f"the campaign is incomplete: the training of trial {trials} was lost {_RETRIES + 1} times ({why})"
            advice = "the same command goes on from the checkpoints"
            raise InfrastructureError(self._session.run_dir, what, advice)
        found = {training: self._table.get(job.fingerprint) for training, job in jobs.items()}
        return {training: row.result(self._measure) for training, row in found.items() if row}

    def _known(self, job: TrainJob) -> bool:
        return self._table.get(job.fingerprint) is not None

    def _train(self, missing: Sequence[tuple[Training, TrainJob]]) -> None:
        # Tune's own tables would mix with the output that programs read. Its handler of Ctrl-C ends ``fit`` as if all
        # were well.
        os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "TUNE_DISABLE_SIGINT_HANDLER": "1"}
        for training, _ in missing:
            with Session(self._maker.workspace(training)):
                pass  # It claims the folder of the run.
        self._watch.begin(missing)
        jobs = [job for _, job in missing]
        tuner = tune.Tuner(
            tune.with_resources(TrainOne(jobs, self._maker.settings.resources).__call__, DRIVER),
            param_space={JOB: tune.grid_search(list(range(len(jobs))))},
            tune_config=tune.TuneConfig(
                metric=self._measure, mode="max", num_samples=1, max_concurrent_trials=self._at_once
            ),
            run_config=tune.RunConfig(
                storage_path=str((self._session.run_dir / "ray").absolute()),
                verbose=0,
                failure_config=FailureConfig(max_failures=_RETRIES),
                callbacks=[self._watch],
            ),
        )
        self._errors = [str(error).strip().splitlines()[-1] for error in tuner.fit().errors]

    def _note(self, job: TrainJob) -> None:
        """Write what became of a job into the table, if it has come to its end."""
        if self._known(job):
            return
        run = job.folder.parent.name
        if artefacts.exists(job.result, "encoder", job.fingerprint):
            written = rows(job.journal)
            if self._measure not in (dev := last_dev(written)):
                what = f"is of an older version, which did not record {self._measure}"
                raise DataError(job.folder.parent, what, "delete this folder: the student trains anew")
            steps = [row for row in written if row["event"] == "step"]
            seconds = round(sum(row.get("seconds", 0.0) for row in steps), 1)
            self._table.add(Row(job.fingerprint, run, "ended", len(steps), dev, "", seconds))
        elif error := failure.reported(job.folder):
            self._table.add(Row(job.fingerprint, run, "failed", 0, {}, str(error)))
