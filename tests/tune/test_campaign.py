"""Campaigns without Ray: ranges, points, names, and what is reported."""

import json
import shlex
from dataclasses import replace

import pytest

from optical.errors import UserError
from optical.resources import Resources
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.recipes import recipe
from tune.search import main
from tune.space import CampaignConfig, applied
from tune.summary import Trial, best_command, trials_table, write_campaign
from tune.trial import TrialMaker

TRIALS = [Trial("b", 0.1, 1e-3, 100, 0.6, "ended"), Trial("a", 0.3, 2e-4, 40, 0.2, "stopped")]


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
    space = CampaignConfig(epsilon=(0.05, 0.2), learning_rate=(1e-4, 2e-4)).space()
    draws = [(space["objective.epsilon"].sample(), space["train.learning_rate"].sample()) for _ in range(50)]
    assert all(0.05 <= epsilon <= 0.2 and 1e-4 <= rate <= 2e-4 for epsilon, rate in draws)


def test_a_point_changes_its_fields_and_no_other():
    base = recipe("demo")
    changed = applied(base, {"objective.epsilon": 0.2, "train.learning_rate": 5e-4})
    assert (changed.objective.epsilon, changed.train.learning_rate) == (0.2, 5e-4)
    assert (changed.train.epochs, changed.bitext, changed.teacher) == (base.train.epochs, base.bitext, base.teacher)


def test_equal_points_share_a_folder_and_others_do_not(tmp_path):
    maker = TrialMaker(recipe("demo"), Settings(runs_dir=tmp_path), tmp_path / "trials")
    point = {"objective.epsilon": 0.2, "train.learning_rate": 5e-4}
    assert maker.job(point) == maker.job(dict(point))
    assert maker.job(point).folder != maker.job(point | {"objective.epsilon": 0.3}).folder


def test_the_best_command_gives_the_best_recipe_with_all_that_was_changed_for_the_campaign():
    base = recipe("demo")
    made = replace(base, bitext=replace(base.bitext, max_pairs=500))
    best = replace(TRIALS[0], epsilon=0.1234567891, learning_rate=1 / 3e3)
    words = shlex.split(best_command(made, best, Settings(resources=Resources(num_workers=2))))
    _, command = parse(words[3:])
    point = {"objective.epsilon": best.epsilon, "train.learning_rate": best.learning_rate}
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
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("arguments", [[], ["nosuch"], ["demo", "--trails", "3"], ["demo", "--epsilon", "0.5", "0.1"]])
def test_what_is_not_understood_is_refused_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
