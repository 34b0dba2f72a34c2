"""What becomes of the trainings that a plan asks for, with Ray Tune replaced by what it would have done."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from optical import artefacts
from optical.errors import DataError, InfrastructureError, NumericalError
from optical.tracking.journal import Journal
from optical.train import failure
from optical.train.job import TrainJob
from pipelines.environment import Settings
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from tune import campaign, work
from tune.plan import Result, Training
from tune.space import CampaignConfig
from tune.table import Table
from tune.trial import TrialMaker
from tune.work import Trainings

POINTS = [{"objective.epsilon": 0.1}, {"objective.epsilon": 0.2}, {"objective.epsilon": 0.1}]


def ended(job: TrainJob, value: float, measure: str = "dev_spearman") -> None:
    """Leave what a training leaves that has ended."""
    with artefacts.writing(job.result, "encoder", job.fingerprint, {}) as scratch:
        (scratch / "weights").write_text("1")
    with Journal(job.journal) as journal:
        journal.write("step", stage="student", step=1, seconds=2.0)
        journal.write("dev", stage="student", step=1, dev_mrr=0.9, **{measure: value})


def failed(job: TrainJob) -> None:
    """Leave what a training leaves that fails each time."""
    job.folder.mkdir(parents=True, exist_ok=True)
    failure.report(job.folder, 0, 3, NumericalError("loss", "is not finite", "lower the rate"))


@pytest.fixture
def trainings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Makes trainings whose Tune calls a function for each job; ``asked`` holds the jobs of every call."""
    asked: list[Sequence[TrainJob]] = []

    def made(does: Callable[[TrainJob, int], object], errors: Sequence[str] = ()) -> Trainings:
        def train(self: Trainings, missing: Sequence[tuple[Training, TrainJob]]) -> None:
            asked.append([job for _, job in missing])
            for training, job in missing:
                does(job, training.trial)
            self._errors = list(errors)

        monkeypatch.setattr(work.Trainings, "_train", train)
        maker = TrialMaker(recipe("demo"), POINTS, Settings(runs_dir=tmp_path), {})
        session = SimpleNamespace(run_dir=tmp_path / "campaign")
        return Trainings(session, maker, Table(tmp_path / "table.jsonl"), "dev_spearman", 1, None)

    made.asked = asked
    return made


def test_what_is_done_is_not_trained_again_and_equal_trainings_are_trained_once(trainings):
    wanted = [Training(trial, 10) for trial in range(3)]
    found = trainings(lambda job, trial: ended(job, 0.1 * trial)).results(wanted)
    # Trials 0 and 2 have one point.
    assert found[wanted[0]] == found[wanted[2]] != found[wanted[1]]
    assert trainings(lambda job, trial: ended(job, 9.0)).results(wanted) == found
    assert [len(jobs) for jobs in trainings.asked] == [2]


def test_a_failure_of_the_training_itself_is_a_result_with_its_reason(trainings):
    wanted = [Training(0, 10), Training(1, 10)]
    found = trainings(lambda job, trial: failed(job) if trial else ended(job, 0.5)).results(wanted)
    assert found[wanted[0]] == Result("ended", 0.5)
    assert (found[wanted[1]].state, found[wanted[1]].reason) == ("failed", "loss: is not finite; lower the rate")
    # A rerun takes it from the table.
    assert trainings(lambda job, trial: ended(job, 0.9)).results(wanted)[wanted[1]].state == "failed"
    assert len(trainings.asked) == 1


def test_a_lost_training_leaves_no_result_in_its_place_and_a_rerun_trains_it(trainings):
    wanted = [Training(0, 10), Training(1, 10)]
    lost = trainings(lambda job, trial: trial or ended(job, 0.5), ["the node is gone"])
    with pytest.raises(
        InfrastructureError, match=r"incomplete: the training of trial 1 was lost 4 times \(the node is"
    ):
        lost.results(wanted)
    found = trainings(lambda job, trial: ended(job, 0.7)).results(wanted)
    assert [found[training].dev for training in wanted] == [0.5, 0.7]
    assert [len(jobs) for jobs in trainings.asked] == [2, 1]


def test_a_student_of_an_older_version_is_named(trainings):
    with pytest.raises(DataError, match="did not record dev_spearman; delete this folder"):
        trainings(lambda job, trial: ended(job, 0.5, "dev_agreement")).results([Training(0, 10)])


@pytest.mark.parametrize("fails", ["all", "finalists"])
def test_there_is_no_winner_where_no_finalist_ends(tmp_path, monkeypatch, fails):
    def results(self: Trainings, wanted: Sequence[Training]) -> dict[Training, Result]:
        bad = Result("failed", reason="not finite")
        return {
            training: bad if fails == "all" or training.max_steps is None else Result("ended", 0.5)
            for training in wanted
        }

    monkeypatch.setattr(campaign.Trainings, "results", results)
    monkeypatch.setattr(campaign, "open_tokens", lambda path: None)
    monkeypatch.setattr(campaign, "Schedule", lambda tokens, train: SimpleNamespace(num_steps=90))
    demo = recipe("demo")
    session = Session(Workspace(demo, Settings(runs_dir=tmp_path)))
    config = CampaignConfig(trials=3)
    maker = TrialMaker(demo, config.points(demo), Settings(runs_dir=tmp_path), {})
    at_work = campaign._Campaign(session, config, maker, Table(tmp_path / "table.jsonl"))
    with pytest.raises(NumericalError, match="no winner, for no finalist was trained to the end; trial .: not finite"):
        campaign._trained(at_work, demo)
