"""Studies: the plan of the objectives study on made-up outcomes, its command line, and what it refuses."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.batches.config import MixtureConfig
from optical.errors import DataError, NumericalError, UserError
from optical.objectives import ot, pooled
from optical.objectives import sum as weighted_sum
from optical.report.blocks import Paragraph, Table
from optical.train.config import TrainConfig
from pipelines.environment import Settings
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.session import Session
from pipelines.studies.__main__ import main
from pipelines.studies.kinds.base import Cell, Comparison, Findings, Outcome
from pipelines.studies.kinds.objectives import Config, objective_of
from pipelines.studies.page import write_page
from pipelines.studies.work import STATE, Study
from tests.doors.recipes import changed

CONFIG = Config(objectives=("ot", "pooled", "greedy"), rates=(1e-4, 1e-3), seeds=(5, 6), finalists=1, always=("ot",))
BRIDGE = TrainConfig(mixture=MixtureConfig(mono_share=0.5))
BROKEN = ("pooled", Path("pooled-0.0001-6"))
DEV = {
    ("ot", 1e-4): 0.3,
    ("ot", 1e-3): 0.4,
    ("pooled", 1e-4): 0.7,
    ("pooled", 1e-3): 0.6,
    ("greedy", 1e-3): 0.2,
    ("pooled+0.5*contrastive", 1e-4): 0.1,
}


def outcomes(cells: Sequence[Cell]) -> list[Outcome]:
    """What would become of cells: the measures of ``DEV``, and a failure where it has none."""
    found = []
    for cell in cells:
        rate, seed = cell.recipe.train.learning_rate, cell.recipe.train.seed
        dev = DEV.get((cell.system, rate))
        folder = Path(f"{cell.system}-{rate}-{seed}")
        measures = {} if dev is None else {"dev_spearman": dev}
        found.append(Outcome(cell, folder, {}, measures, "" if measures else "the loss is not finite"))
    return found


def walked(config: Config) -> tuple[list[Cell], list[Cell], Comparison]:
    """Both stages of the study of the demo, and what it compares."""
    plan = config.plan(recipe("demo"))
    first = list(next(plan))
    second = list(plan.send(outcomes(first)))
    with pytest.raises(StopIteration) as end:
        plan.send(outcomes(second))
    (found,) = end.value.value.comparisons
    return first, second, found


def told(cells: Sequence[Cell]) -> list[tuple[str, float, int]]:
    return [(cell.system, cell.recipe.train.learning_rate, cell.recipe.train.seed) for cell in cells]


def test_every_objective_is_screened_at_every_rate_with_the_first_seed():
    first, _, _ = walked(CONFIG)
    assert told(first) == [(name, rate, 5) for name in CONFIG.objectives for rate in CONFIG.rates]
    assert not any(cell.tested for cell in first)


def test_the_best_rate_of_each_is_tested_and_the_finalists_with_every_seed():
    _, second, found = walked(CONFIG)
    assert told(second) == [
        ("ot", 1e-3, 5),
        ("pooled", 1e-4, 5),
        ("greedy", 1e-3, 5),
        ("ot", 1e-3, 6),
        ("pooled", 1e-4, 6),
    ]
    assert all(cell.tested for cell in second)
    assert found.runs["pooled"] == [Path("pooled-0.0001-5"), Path("pooled-0.0001-6")]


def test_an_objective_that_the_dev_measure_cannot_judge_is_trained_with_every_seed_and_the_page_says_so():
    _, second, found = walked(replace(CONFIG, objectives=("greedy", "pooled+0.5*contrastive"), always=()))
    assert told(second)[2:] == [("greedy", 1e-3, 6), ("pooled+0.5*contrastive", 1e-4, 6)]
    (said,) = (block.text for block in found.blocks if isinstance(block, Paragraph))
    assert "pooled+0.5*contrastive is trained with every seed because dev_spearman cannot compare it" in said


def test_the_bare_name_of_a_sum_is_the_recipes_own():
    own = weighted_sum.Config(terms=("ot", "0.5*pooled"))
    first = next(replace(CONFIG, objectives=("sum", "greedy"), always=()).plan(changed(recipe("demo"), objective=own)))
    assert first[0].recipe.objective == own
    with pytest.raises(UserError, match="sum in a sum"):
        next(replace(CONFIG, objectives=("sum",), always=()).plan(recipe("demo")))


def test_a_plus_inside_parentheses_is_no_sum():
    assert objective_of("ot(epsilon=1e+0)").epsilon == 1.0


def test_runs_from_before_the_dev_measure_are_refused_by_name():
    plan = CONFIG.plan(recipe("demo"))
    old = [replace(found, dev={"dev_mrr": 0.5}, failure="") for found in outcomes(next(plan))]
    with pytest.raises(DataError, match="ot-0.0001-5: was trained by an older version, which did not record dev_spear"):
        plan.send(old)


def test_the_page_shows_every_trial_its_failure_and_the_choice():
    _, _, found = walked(CONFIG)
    table = next(block for block in found.blocks if isinstance(block, Table))
    assert table.rows == [
        ("ot", "0.3000", "0.4000 *", "yes"),
        ("pooled", "0.7000 *", "0.6000", "yes"),
        ("greedy", "failed", "0.2000 *", "no"),
    ]


def test_the_bare_name_of_the_recipes_own_objective_keeps_its_settings():
    first, _, _ = walked(CONFIG)
    assert first[0].recipe.objective == recipe("demo").objective == ot.Config(epsilon=0.1)
    other = Config(objectives=("ot(epsilon=0.05)", "pooled", "ot+0.5*pooled"), always=())
    objectives = [cell.recipe.objective for cell in next(other.plan(recipe("demo")))[::2]]
    assert objectives[:2] == [ot.Config(epsilon=0.05), pooled.Config()]
    assert objectives[2].name == "sum"


def test_two_spellings_of_one_objective_are_one_system_and_the_page_says_so():
    config = replace(CONFIG, objectives=("pooled", "pooled()", "ot", "ot(epsilon=0.1)"), always=("ot(epsilon=0.1)",))
    first, second, found = walked(config)
    assert told(first) == [(name, rate, 5) for name in ("pooled", "ot") for rate in CONFIG.rates]
    assert [cell.system for cell in second] == ["pooled", "ot", "pooled", "ot"]
    said = " ".join(block.text for block in found.blocks if isinstance(block, Paragraph))
    assert "pooled() is the same objective as pooled" in said and "ot(epsilon=0.1) is the same objective as ot" in said


def test_a_finalist_with_a_seed_that_fails_keeps_its_other_seeds_and_the_page_says_so():
    plan = CONFIG.plan(recipe("demo"))
    second = plan.send(outcomes(next(plan)))
    tested = [
        replace(found, failure="the loss is not finite") if (found.cell.system, found.run_dir) == BROKEN else found
        for found in outcomes(second)
    ]
    with pytest.raises(StopIteration) as end:
        plan.send(tested)
    (found,) = end.value.value.comparisons
    assert found.runs["pooled"] == [Path("pooled-0.0001-5")]
    said = [block.text for block in found.blocks if isinstance(block, Paragraph)]
    assert "pooled at rate 0.0001 with seed 6 failed" in said[0] and said[0].endswith("the loss is not finite")


def test_a_study_without_a_training_that_ended_says_why():
    plan = Config(objectives=("score_kl",), always=()).plan(recipe("demo"))
    with pytest.raises(UserError, match="the first one says: the loss is not finite"):
        plan.send(outcomes(next(plan)))


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"objectives": ()}, "objectives"),
        ({"objectives": ("ot", "ot")}, "objectives"),
        ({"rates": (0.0,)}, "rates"),
        ({"seeds": (-1,)}, "seeds"),
        ({"finalists": -1}, "finalists"),
        ({"always": ("nosuch",)}, "always"),
    ],
)
def test_an_impossible_study_is_refused(changes, field):
    with pytest.raises(UserError) as caught:
        Config(**changes)
    assert caught.value.where == field


@pytest.mark.parametrize("spec", ["nosuch", "ot(epsilon=-1)", "ot(nosuch=1)", "ot("])
def test_an_objective_that_cannot_be_read_is_refused_by_name(spec):
    with pytest.raises(UserError) as caught:
        Config(objectives=(spec,), always=())
    assert spec.partition("(")[0] in str(caught.value)


def test_help_names_the_studies_and_their_fields(capsys):
    assert main(["--help"]) == 0
    assert "objectives" in capsys.readouterr().out
    assert main(["objectives", "demo", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--finalists" in shown and "which objective teaches best?" in shown
    assert main(["conditions", "--help"]) == 0
    assert "--conditions" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["objectivs", "demo"], ["objectives"], ["objectives", "demo", "--rates", "0"]])
def test_what_is_not_understood_is_refused_in_one_line(arguments, capsys):
    assert main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "resamples: is 199, and the page may compare 10 pairs .* set at least 200"),
        ({"student__bridge": BRIDGE, "evaluation__baseline": "student_bridge"}, "baseline: is student_bridge"),
    ],
)
def test_what_the_page_would_refuse_is_refused_before_the_work(changes, said, tmp_path, monkeypatch):
    monkeypatch.setattr(Study, "_stage", lambda *_: pytest.fail("a cell was trained"))
    study = Study(
        "objectives", replace(CONFIG, resamples=199), changed(recipe("demo"), **changes), Settings(runs_dir=tmp_path)
    )
    with pytest.raises(UserError, match=said):
        study.run()


@pytest.fixture
def failing(tmp_path, monkeypatch) -> Study:
    """A study without Ray, every training of which diverges."""

    def make(session, node):
        made.append(session.workspace.run_dir.name)
        raise NumericalError("training", "the loss is not finite", "lower the rate")

    made: list[str] = []
    monkeypatch.setattr(Session, "make", make)
    study = Study("objectives", CONFIG, recipe("demo"), Settings(runs_dir=tmp_path))
    study.made = made
    return study


def test_a_training_that_failed_is_not_repeated_by_the_same_study(failing, capsys):
    for _ in range(2):
        with pytest.raises(UserError, match="no training has ended well"):
            failing.run()
        assert len(failing.made) == len(CONFIG.objectives) * len(CONFIG.rates)
    assert f"to try it, delete {failing.folder}" in capsys.readouterr().err
    shutil.rmtree(failing.folder)
    with pytest.raises(UserError):
        failing.run()
    assert len(failing.made) == 2 * len(CONFIG.objectives) * len(CONFIG.rates)


@pytest.mark.parametrize(
    ("file", "content", "said"),
    [
        ("run.json", "{}", "something else than a study"),
        (STATE, '{"fingerprint": "other", "cells": []}', "another study"),
        (STATE, "{", "is damaged"),
        (STATE, '{"fingerprint": 1}', "is damaged"),
    ],
)
def test_a_folder_of_something_else_is_left_alone(failing, file, content, said):
    failing.folder.mkdir()
    (failing.folder / file).write_text(content)
    with pytest.raises((UserError, DataError), match=said):
        failing.run()
    assert not failing.made and [found.name for found in failing.folder.iterdir()] == [file]


def test_the_reference_of_the_page_is_the_baseline_also_where_the_runs_train_the_teacher(tmp_path, monkeypatch):
    """Then nothing was there before the runs, and ``compare`` alone would ask for a reference."""
    study = Study("objectives", CONFIG, recipe("demo"), Settings(runs_dir=tmp_path))
    monkeypatch.setattr("pipelines.studies.page.compare_groups", lambda groups, command, more: command)
    assert write_page(study, Findings([Comparison(study.recipe, {}, [])])).reference == "zero_shot"


def test_the_recipes_own_objective_is_trained_with_every_seed_if_it_is_compared():
    assert Config(objectives=("pooled", "greedy")).always == ()
    first, second, _ = walked(replace(CONFIG, always=(), objectives=("pooled", "ot")))
    assert {cell.recipe.train.seed for cell in second if cell.system == "ot"} == {5, 6}
    assert len(first) == 4


def test_damaged_times_are_named(tmp_path):
    workspace = Workspace(recipe("demo"), Settings(runs_dir=tmp_path))
    workspace.run_dir.mkdir(parents=True)
    (workspace.run_dir / "seconds.json").write_text("{")
    with pytest.raises(DataError, match="seconds.json: is no JSON"):
        _ = Session(workspace).seconds
