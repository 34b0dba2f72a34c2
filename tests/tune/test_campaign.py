"""Campaigns without Ray: ranges, points, names, and what is reported."""

import json
import shlex
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import sleep

import pytest

from optical.data.registry.datasets import datasets
from optical.errors import UserError
from optical.objectives import contrastive
from optical.resources import Resources
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.graph.student import STUDENT
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from tune.search import main
from tune.space import CampaignConfig, applied
from tune.summary import Trial, best_command, trials_table, write_campaign
from tune.trial import TrialMaker

TRIALS = [
    Trial("b", {"objective.epsilon": 0.1, "train.learning_rate": 1e-3}, 100, 0.6, "ended"),
    Trial("a", {"objective.epsilon": 0.3, "train.learning_rate": 2e-4}, 40, 0.2, "stopped"),
]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"trials": 0}, "trials"),
        ({"max_concurrent": 0}, "max_concurrent"),
        ({"reduction_factor": 1}, "reduction_factor"),
        ({"epsilon": (0.5, 0.1)}, "epsilon"),
        ({"epsilon": (0.0, 0.1)}, "epsilon"),
        ({"learning_rate": (1e-3, 1e-3)}, "learning_rate"),
    ],
)
def test_an_impossible_campaign_is_refused(changes, field):
    with pytest.raises(UserError) as caught:
        CampaignConfig(**changes)
    assert caught.value.where == field


def test_points_stay_in_their_ranges():
    space = CampaignConfig(epsilon=(0.05, 0.2), learning_rate=(1e-4, 2e-4)).space(recipe("demo"))
    draws = [(space["objective.epsilon"].sample(), space["train.learning_rate"].sample()) for _ in range(50)]
    assert all(0.05 <= epsilon <= 0.2 and 1e-4 <= rate <= 2e-4 for epsilon, rate in draws)


def test_a_point_changes_its_fields_and_no_other():
    base = recipe("demo")
    changed = applied(base, {"objective.epsilon": 0.2, "train.learning_rate": 5e-4})
    assert (changed.objective.epsilon, changed.train.learning_rate) == (0.2, 5e-4)
    assert (changed.train.epochs, changed.bitext, changed.teacher) == (base.train.epochs, base.bitext, base.teacher)


def test_equal_points_share_a_folder_and_others_do_not(tmp_path):
    maker = TrialMaker(recipe("demo"), Settings(runs_dir=tmp_path), tmp_path / "trials", {})
    point = {"objective.epsilon": 0.2, "train.learning_rate": 5e-4}
    assert maker.job(point) == maker.job(dict(point))
    assert maker.job(point).folder != maker.job(point | {"objective.epsilon": 0.3}).folder


def test_the_best_command_gives_the_best_recipe_with_all_that_was_changed_for_the_campaign():
    base = recipe("demo")
    made = replace(base, bitext=replace(base.bitext, max_pairs=500))
    point = {"objective.epsilon": 0.1234567891, "train.learning_rate": 1 / 3e3}
    best = replace(TRIALS[0], point=point)
    words = shlex.split(best_command(made, best, Settings(resources=Resources(num_workers=2))))
    _, command = parse(words[3:])
    assert command.recipe == applied(made, point)
    assert command.settings.resources.num_workers == 2


def test_a_recipe_without_a_name_on_the_command_line_has_no_best_command():
    told = best_command(replace(recipe("demo"), name="mine"), TRIALS[0], Settings())
    assert told.startswith("no command line says this recipe")


def test_the_report_holds_every_trial(tmp_path):
    write_campaign(tmp_path, recipe("demo"), TRIALS, Settings())
    page = (tmp_path / "report.md").read_text()
    assert trials_table(TRIALS) in page
    assert best_command(recipe("demo"), TRIALS[0], Settings()) in page
    assert [trial["trial"] for trial in json.loads((tmp_path / "trials.json").read_text())] == ["b", "a"]
    assert json.loads((tmp_path / "trials.json").read_text())[0] == {
        **{"trial": "b", "epsilon": 0.1, "learning_rate": 1e-3},
        **{"steps": 100, "dev_spearman": 0.6, "status": "ended"},
    }
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["demo", "--trails", "3"], ["demo", "--epsilon", "0.5", "0.1"]])
def test_what_is_not_understood_is_refused_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_any_field_is_searched_by_naming_it():
    fields = ("train.weight_decay=0.001..0.1", "objective.method=sinkhorn,partial", "train.batch_pairs=16..64")
    words = ("train.mixture.curriculum=true,false", "objective.epsilon_unit=cost,mean_cost")
    config = CampaignConfig(fields=(*fields, *words))
    space = config.space(recipe("demo"))
    draws = [{path: domain.sample() for path, domain in space.items()} for _ in range(40)]
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
    space = CampaignConfig(fields=("objective.temperature=0.01..0.1",)).space(made)
    assert list(space) == ["train.learning_rate", "objective.temperature"]
    only = [replace(trial, point={"train.learning_rate": 1e-3}) for trial in TRIALS]
    write_campaign(tmp_path, made, only, Settings())
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


def test_the_longest_trial_counts_where_the_number_of_steps_is_searched():
    corners = CampaignConfig(fields=("train.epochs=2..9",)).corners(recipe("demo"))
    assert {corner.train.epochs for corner in corners} == {2, 9}


def test_a_trial_of_the_same_point_waits_for_the_first(tmp_path, monkeypatch):
    at_work, most = [], []

    def fit(job, resources, callbacks):
        at_work.append(job)
        most.append(len(at_work))
        sleep(0.2)
        at_work.pop()

    monkeypatch.setattr("tune.trial.fit", fit)
    monkeypatch.setattr("tune.trial.TuneReportCallback", lambda: None)
    maker = TrialMaker(recipe("demo"), Settings(runs_dir=tmp_path), tmp_path / "trials", {})
    point = {"objective.epsilon": 0.2}
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(maker, [point, point]))
    assert most == [1, 1]


def test_a_trial_on_a_machine_without_the_mirror_has_the_pairs_of_the_campaign(tmp_path):
    for file in datasets()["tatoeba-v1-swa"].files:
        (tmp_path / "mirror" / file.mirror).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mirror" / file.mirror).touch()
    here, there = (Settings(cache=tmp_path, mirror=mirror) for mirror in (str(tmp_path / "mirror"), None))
    workspace = Workspace(recipe("demo"), here)
    identity = workspace.fingerprint_of(STUDENT)
    assert Workspace(recipe("demo"), there).fingerprint_of(STUDENT) != identity
    maker = TrialMaker(recipe("demo"), there, tmp_path / "trials", workspace.compared)
    assert maker.workspace({}).fingerprint_of(STUDENT) == identity


def test_two_fields_of_one_last_name_keep_their_paths():
    point = {"objective.temperature": 0.1, "train.mixture.temperature": 2.0, "train.learning_rate": 1e-3}
    row = replace(TRIALS[0], point=point).as_dict()
    assert list(row)[1:4] == ["objective.temperature", "train.mixture.temperature", "learning_rate"]
