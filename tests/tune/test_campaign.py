"""Campaigns without Ray: ranges, points, names, and what is reported."""

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from time import sleep

import pytest

from optical.data.registry.datasets import datasets
from optical.errors import DataError, InfrastructureError, NumericalError, UserError
from optical.objectives import contrastive
from optical.resources import Resources
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.graph.student import STUDENT
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from tune.plan import Ranked, Result, Training
from tune.search import main
from tune.space import CampaignConfig, applied
from tune.summary import Summary, best_command, trials_table, write_summary
from tune.table import Row, Table
from tune.trial import TrainOne, TrialMaker

POINTS = [
    {"objective.epsilon": 0.3, "train.learning_rate": 2e-4},
    {"objective.epsilon": 0.1, "train.learning_rate": 1e-3},
]
RANKED = [Ranked(1, 1, 0.6, (0.7, 0.5)), Ranked(0, 0, 0.2)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trials": 0}, "trials"),
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"keep": 1}, "keep"),
        ({"finalists": 0}, "finalists"),
        ({"seeds": 0}, "seeds"),
        ({"seed": -1}, "seed"),
        ({"first_share": 0.0}, "first_share"),
        ({"first_share": 1.5}, "first_share"),
        ({"epsilon": (0.5, 0.1)}, "epsilon"),
        ({"epsilon": (0.0, 0.1)}, "epsilon"),
        ({"learning_rate": (1e-3, 1e-3)}, "learning_rate"),
    ],
)
def test_an_impossible_campaign_is_refused(changes, field):
    with pytest.raises(UserError) as caught:
        CampaignConfig(**changes)
    assert caught.value.where == field


def test_points_stay_in_their_ranges_and_spread_over_them():
    config = CampaignConfig(epsilon=(0.05, 0.2), learning_rate=(1e-4, 2e-4), trials=32)
    points = config.points(recipe("demo"))
    assert all(0.05 <= point["objective.epsilon"] <= 0.2 for point in points)
    assert all(1e-4 <= point["train.learning_rate"] <= 2e-4 for point in points)
    # A quarter of an evenly spread sequence lies in each quarter of the range, on its logarithmic scale.
    assert sum(point["objective.epsilon"] < 0.05 * 2**0.5 for point in points) == 8


@pytest.mark.parametrize(("few", "many"), [(1, 2), (4, 6), (5, 32)])
def test_more_trials_have_the_same_first_points(few, many):
    base = recipe("demo")
    assert CampaignConfig(trials=few).points(base) == CampaignConfig(trials=many).points(base)[:few]
    assert CampaignConfig(trials=few).identity == CampaignConfig(trials=many, max_concurrent=3, test=False).identity
    assert CampaignConfig(trials=few).identity != CampaignConfig(trials=few, keep=4).identity
    assert CampaignConfig(trials=4, seed=1).points(base) != CampaignConfig(trials=4).points(base)


def test_a_point_changes_its_fields_and_no_other():
    base = recipe("demo")
    changed = applied(base, {"objective.epsilon": 0.2, "train.learning_rate": 5e-4})
    assert (changed.objective.epsilon, changed.train.learning_rate) == (0.2, 5e-4)
    assert (changed.train.epochs, changed.bitext, changed.teacher) == (base.train.epochs, base.bitext, base.teacher)


def made_by(tmp_path, points=POINTS, made="demo") -> TrialMaker:
    return TrialMaker(recipe(made), points, Settings(runs_dir=tmp_path, run_name="campaign"), {})


def test_a_training_has_its_point_its_steps_and_its_seed_and_the_folder_of_an_ordinary_run(tmp_path):
    maker = made_by(tmp_path)
    training = maker.recipe_of(Training(1, 12, 2))
    assert training == replace(
        applied(recipe("demo"), POINTS[1]),
        train=replace(recipe("demo").train, learning_rate=1e-3, max_steps=12, seed=2),
    )
    assert maker.recipe_of(Training(1)) == applied(recipe("demo"), POINTS[1])
    ordinary = Workspace(applied(recipe("demo"), POINTS[1]), Settings(runs_dir=tmp_path))
    assert maker.job(Training(1)).folder == ordinary.folder(STUDENT)
    jobs = [maker.job(Training(trial, most, seed)) for trial in (0, 1) for most in (None, 12) for seed in (0, 1)]
    assert len({job.folder for job in jobs}) == len({job.fingerprint for job in jobs}) == 8


def summary_of(made, points=POINTS, ranked=RANKED, **settings) -> Summary:
    return Summary(made, Settings(**settings), points, ranked)


def test_the_best_command_gives_the_best_recipe_with_all_that_was_changed_for_the_campaign():
    base = recipe("demo")
    made = replace(base, bitext=replace(base.bitext, max_pairs=500))
    point = {"objective.epsilon": 0.1234567891, "train.learning_rate": 1 / 3e3}
    words = shlex.split(best_command(summary_of(made, [POINTS[0], point], resources=Resources(num_workers=2))))
    _, command = parse(words[3:])
    assert command.recipe == applied(made, point)
    assert command.settings.resources.num_workers == 2


def test_a_recipe_without_a_name_on_the_command_line_is_a_file_that_a_run_reads(tmp_path):
    found = summary_of(replace(recipe("demo"), name="mine"), runs_dir=tmp_path, run_name="campaign")
    write_summary(tmp_path / "campaign" / "report", found)
    words = shlex.split(best_command(found))
    assert words[3:5] == ["run", "--recipe"]
    _, command = parse(words[3:])
    assert command.recipe == found.best


def test_the_report_holds_every_trial(tmp_path):
    failed = [*RANKED, Ranked(2, 0, float("nan"), reason="the loss is not finite")]
    found = summary_of(recipe("demo"), [*POINTS, POINTS[0]], failed)
    write_summary(tmp_path, found)
    page = (tmp_path / "report.md").read_text()
    assert trials_table(found) in page
    assert "trial 2 failed: the loss is not finite" in page
    assert best_command(found) in page
    trials = json.loads((tmp_path / "trials.json").read_text())["trials"]
    assert trials[0] == {
        **{"trial": 1, "epsilon": 0.1, "learning_rate": 1e-3, "rung": 1, "dev_spearman": 0.6, "state": "finalist"},
        **{"seeds": [0.7, 0.5], "reason": ""},
    }
    assert [(trial["trial"], trial["state"], trial["dev_spearman"]) for trial in trials[1:]] == [
        (0, "stopped", 0.2),
        (2, "failed", None),
    ]
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["demo", "--trails", "3"], ["demo", "--epsilon", "0.5", "0.1"]])
def test_what_is_not_understood_is_refused_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_any_field_is_searched_by_naming_it():
    fields = ("train.weight_decay=0.001..0.1", "objective.method=sinkhorn,partial", "train.batch_pairs=16..64")
    words = ("train.mixture.curriculum=true,false", "objective.epsilon_unit=cost,mean_cost")
    config = CampaignConfig(fields=(*fields, *words))
    draws = replace(config, trials=40).points(recipe("demo"))
    assert {draw["objective.method"] for draw in draws} == {"sinkhorn", "partial"}
    assert {draw["train.mixture.curriculum"] for draw in draws} == {True, False}
    assert {draw["objective.epsilon_unit"] for draw in draws} == {"cost", "mean_cost"}
    assert all(0.001 <= draw["train.weight_decay"] <= 0.1 for draw in draws)
    assert all(16 <= draw["train.batch_pairs"] <= 64 and isinstance(draw["train.batch_pairs"], int) for draw in draws)
    changed = applied(recipe("demo"), draws[0])
    assert changed.train.mixture.curriculum is draws[0]["train.mixture.curriculum"]
    assert changed.objective.method == draws[0]["objective.method"]


def test_a_field_named_again_has_the_range_given_last():
    (_, rate) = CampaignConfig(fields=("train.learning_rate=0.01..0.02",)).searched(recipe("demo"))
    assert rate.values == (0.01, 0.02)


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ("train.weight_deca=0.1..0.2", "has no field 'train.weight_deca'; did you mean train.weight_decay"),
        ("train.weight_decay", "gives no values"),
        ("train.weight_decay=0.1", "gives one value"),
        ("train.weight_decay=0.2..0.1", "is no range"),
        ("train.weight_decay=a..b", "'a' is no value of train.weight_decay; its present value is 0.01"),
        ("objective.method=sinkhorn,nosuch", "^objective.method: is 'nosuch'"),
        ("train.warmup_share=0.5..2", "^train.warmup_share: is 2.0"),
        ("objective.name=ot,contrastive", "names a component"),
        ("train.mixture.weights=1,2", "no number, word or switch"),
        ("train=1,2", "no number, word or switch"),
    ],
)
def test_a_field_that_cannot_be_searched_is_refused_before_anything_is_made(field, message):
    # The run-time checker of the tests refuses a method by its type first.
    with pytest.raises(Exception, match=message if "nosuch" not in field else "nosuch"):
        CampaignConfig(fields=(field,)).searched(recipe("demo"))


def test_an_objective_without_epsilon_is_searched_without_it(tmp_path):
    made = replace(recipe("demo"), objective=contrastive.Config())
    points = CampaignConfig(fields=("objective.temperature=0.01..0.1",)).points(made)
    assert list(points[0]) == ["train.learning_rate", "objective.temperature"]
    write_summary(tmp_path, summary_of(made, [{"train.learning_rate": 1e-3}] * 2))
    assert "learning rate" in (tmp_path / "report.md").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("student.vocabulary=1000,8000", "decides more than a trial trains"),
        ("bitext.dev_pairs=20..200", "decides more than a trial trains"),
        ("teacher.cache=true,false", "decides more than a trial trains"),
        ("evaluation.collection=demo-topics,afriqa-swa", "decides more than a trial trains"),
        ("index.depth=400,500", "decides more than a trial trains"),
        ("name=a,b", "decides more than a trial trains"),
        ("train.dev_steps=10,100", "changes no result"),
        ("objective.penalty=0.5..1", "changes no result"),
    ],
)
def test_a_field_that_trials_cannot_search_is_refused(text, words):
    with pytest.raises(UserError, match=words):
        CampaignConfig(fields=(text,)).searched(recipe("demo"))


def test_a_field_of_one_of_the_searched_methods_is_searched():
    found = CampaignConfig(fields=("objective.method=sinkhorn,partial", "objective.mass=0.5..1")).searched(
        recipe("demo")
    )
    assert [field.path for field in found][2:] == ["objective.method", "objective.mass"]


def test_epsilon_is_not_searched_for_the_exact_method():
    base = recipe("demo")
    exact = replace(base, objective=replace(base.objective, method="exact"))
    assert [field.path for field in CampaignConfig().searched(exact)] == ["train.learning_rate"]


def test_a_training_of_the_same_student_waits_for_the_first(tmp_path, monkeypatch):
    at_work, most = [], []

    def fit(job, resources, callbacks):
        at_work.append(job)
        most.append(len(at_work))
        sleep(0.2)
        at_work.pop()

    monkeypatch.setattr("tune.trial.fit", fit)
    monkeypatch.setattr("tune.trial.TuneReportCallback", lambda: None)
    train = TrainOne([made_by(tmp_path).job(Training(0))] * 2, Resources())
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(train, [{"job": 0}, {"job": 1}]))
    assert most == [1, 1]


@pytest.mark.parametrize(
    ("error", "raised"), [(NumericalError("a", "b", "c"), False), (InfrastructureError("a", "b", "c"), True)]
)
def test_only_what_the_machine_did_is_left_to_tune_to_try_again(tmp_path, monkeypatch, error, raised):
    monkeypatch.setattr("tune.trial.fit", lambda *_: (_ for _ in ()).throw(error))
    monkeypatch.setattr("tune.trial.TuneReportCallback", lambda: None)
    train = TrainOne([made_by(tmp_path).job(Training(0))], Resources())
    with pytest.raises(InfrastructureError) if raised else nullcontext():
        train({"job": 0})


def test_a_trial_on_a_machine_without_the_mirror_has_the_pairs_of_the_campaign(tmp_path):
    for file in datasets()["tatoeba-v1-swa"].files:
        (tmp_path / "mirror" / file.mirror).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / file.mirror).touch()
    here, there = (Settings(cache=tmp_path, mirror=mirror) for mirror in (str(tmp_path / "mirror"), None))
    workspace = Workspace(recipe("demo"), here)
    identity = workspace.fingerprint_of(STUDENT)
    assert Workspace(recipe("demo"), there).fingerprint_of(STUDENT) != identity
    maker = TrialMaker(recipe("demo"), [{}], there, workspace.compared)
    assert maker.workspace(Training(0)).fingerprint_of(STUDENT) == identity


def test_two_fields_of_one_last_name_keep_their_paths():
    point = {"objective.temperature": 0.1, "train.mixture.temperature": 2.0, "train.learning_rate": 1e-3}
    row = summary_of(recipe("demo"), [point, point]).row(RANKED[0])
    assert list(row)[1:4] == ["objective.temperature", "train.mixture.temperature", "learning_rate"]


def test_the_table_is_read_back_and_a_row_is_written_once(tmp_path):
    table = Table(tmp_path / "table.jsonl")
    assert table.get("a") is None
    rows = [
        Row("a", "demo-1", "ended", 12, {"dev_spearman": 0.5}, "", 3.5),
        Row("b", "demo-2", "failed", 0, {}, "not finite"),
    ]
    for row in (*rows, rows[0]):
        table.add(row)
    again = Table(tmp_path / "table.jsonl")
    assert [again.get("a"), again.get("b")] == rows
    assert len((tmp_path / "table.jsonl").read_text().splitlines()) == 2
    assert again.get("a").result("dev_spearman") == Result("ended", 0.5)
    assert again.get("b").result("dev_spearman").reason == "not finite"


def test_a_damaged_table_is_named(tmp_path):
    (tmp_path / "table.jsonl").write_text('{"event": "training", "time": 1, "student": "a"}\n')
    with pytest.raises(DataError, match="table.jsonl: is damaged"):
        Table(tmp_path / "table.jsonl")
