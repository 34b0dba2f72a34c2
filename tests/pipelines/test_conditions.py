"""The conditions study: its plan on made-up outcomes, what it refuses, and its overview."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from optical.data.batches.config import MixtureConfig
from optical.errors import UserError
from optical.evaluation.replicates import compare_replicates
from optical.train.config import TrainConfig
from pipelines.environment import Settings
from pipelines.recipes import recipe
from pipelines.studies.kinds.base import Comparison, Findings
from pipelines.studies.kinds.conditions import Config
from pipelines.studies.page import Overview, write_page
from pipelines.studies.work import Study
from tests.doors.recipes import changed
from tests.pipelines.test_studies import outcomes

CONFIG = Config(
    conditions=("all:", "300 pairs: --bitext.max-pairs 300 --train.epochs 2"),
    objectives=("ot", "pooled"),
    rates=(1e-4,),
    seeds=(5, 6),
    finalists=1,
)
FEW = changed(recipe("demo"), bitext__max_pairs=300, train__epochs=2)


def made_of(recipe_of):
    """A recipe without what the objectives study varies."""
    return replace(
        recipe_of, objective=recipe("demo").objective, train=replace(recipe_of.train, learning_rate=1.0, seed=0)
    )


def test_every_condition_goes_through_the_objectives_study():
    plan = CONFIG.plan(recipe("demo"))
    first = next(plan)
    assert [(cell.condition, cell.system) for cell in first] == [
        *(("all", "ot"), ("all", "pooled")),
        *(("300 pairs", "ot"), ("300 pairs", "pooled")),
    ]
    assert [made_of(cell.recipe) for cell in first[::2]] == [made_of(recipe("demo")), made_of(FEW)]
    found = outcomes(first)
    # Under the second condition pooled fails, so its own second stage has transport alone.
    found[3] = replace(found[3], failure="the loss is not finite", dev={})
    second = plan.send(found)
    assert [(cell.condition, cell.system, cell.recipe.train.seed) for cell in second] == [
        *(("all", "ot", 5), ("all", "pooled", 5), ("all", "ot", 6), ("all", "pooled", 6)),
        *(("300 pairs", "ot", 5), ("300 pairs", "ot", 6)),
    ]
    with pytest.raises(StopIteration) as end:
        plan.send(outcomes(second))
    all_pairs, few = end.value.value.comparisons
    assert (all_pairs.condition, few.condition) == ("all", "300 pairs")
    assert list(all_pairs.runs) == ["ot", "pooled"] and list(few.runs) == ["ot"]
    assert few.recipe == FEW


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ((), "conditions: is empty"),
        (("--train.epochs 2",), "has no name"),
        ((": --train.epochs 2",), "has no name"),
        (("a:", "a: --train.epochs 2"), "two that are named 'a'"),
        (('a: --train.epochs "2',), "close the quotes"),
        (("a\nb: --train.epochs 2",), "write it in one line"),
    ],
)
def test_conditions_that_cannot_be_read_are_refused(conditions, said):
    with pytest.raises(UserError, match=said):
        next(replace(CONFIG, conditions=conditions).plan(recipe("demo")))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("--train.epoch 2", "condition 'b': has no such field|`condition 'b'` has no such field"),
        ("--train.epochs many", "epochs"),
        ("--runs-dir elsewhere", "no such field"),
        ("", "makes the same recipe as condition 'a'"),
        ("--evaluation.measures RR@10", "another tested measure"),
        ("--train.learning-rate 0.5", "sets train.learning_rate, .* give the study --rates instead"),
        ("--train.seed 7", "sets train.seed, .* give the study --seeds instead"),
        ("--objective.name contrastive", "sets the objective contrastive, which is none of --objectives"),
    ],
)
def test_a_condition_that_the_recipe_cannot_take_is_refused_before_any_work(flags, said):
    with pytest.raises(UserError, match=said):
        next(replace(CONFIG, conditions=("a:", f"b: {flags}")).plan(recipe("demo")))


def test_the_page_of_each_condition_is_checked_before_any_work(tmp_path, monkeypatch):
    monkeypatch.setattr(Study, "_stage", lambda *_: pytest.fail("a cell was trained"))
    config = replace(CONFIG, conditions=("all:", "own: --evaluation.baseline student_bridge"))
    bridged = changed(recipe("demo"), student__bridge=TrainConfig(mixture=MixtureConfig(mono_share=0.5)))
    with pytest.raises(UserError, match="baseline: is student_bridge"):
        Study("conditions", config, bridged, Settings(runs_dir=tmp_path)).run()


def test_the_overview_says_what_is_significant_under_each_condition(tmp_path, monkeypatch):
    better = {"zero_shot": [[0.0] * 20], "student (ot)": [[0.5] * 20], "student (pooled)": [[0.001, *[0.0] * 19]]}
    worse = {"zero_shot": [[0.5] * 20], "student (ot)": [[0.25] * 20]}
    values = {"all": better, "300 / pairs": worse}

    def compare_groups(groups, command, more):
        page = command.out / "comparison.html"
        content = SimpleNamespace(
            found=compare_replicates(values[groups[0]], "zero_shot", 2000, 0), collection="topics"
        )
        return SimpleNamespace(content=content, page=page, as_dict=lambda: {"page": str(page)})

    monkeypatch.setattr("pipelines.studies.page.compare_groups", compare_groups)
    monkeypatch.setattr("pipelines.studies.page.named_group", lambda name, folders, settings: name)
    study = Study("conditions", CONFIG, recipe("demo"), Settings(runs_dir=tmp_path))
    found = write_page(study, Findings([Comparison(recipe("demo"), {name: [Path()]}, [], name) for name in values]))
    assert isinstance(found, Overview)
    text = (study.folder / "comparison.md").read_text().replace("\\", "")
    assert "| condition | topics | zero_shot | student (ot) | student (pooled) |" in text
    assert "| all | 20 | 0.000 | 0.500 + | 0.000 |" in text
    assert "| 300 / pairs | 20 | 0.500 | 0.250 \u2212 | - |" in text
    assert "| 300 / pairs | zero_shot |" in text
    assert "| 300 / pairs | 2-300-pairs/comparison.html |" in text
    assert "Where does an objective pay?" in text
    assert (study.folder / "comparison.png").exists()
    assert json.loads((study.folder / "comparison.json").read_text())["conditions"].keys() == values.keys()
