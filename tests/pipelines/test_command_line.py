"""The command line: what is understood, and how what is not is refused."""

import pytest

from optical.errors import UserError
from pipelines.__main__ import main
from pipelines.cli.parse import parse
from pipelines.cli.print import in_words


def test_a_verb_and_a_recipe_give_the_recipe_unchanged():
    verb, command = parse(["run", "demo"])
    assert verb == "run"
    assert command.recipe.name == "demo"
    assert not command.json


def test_fields_are_typed_from_the_dataclasses():
    _, command = parse(
        ["train", "swahili", "--objective.epsilon", "0.05", "--train.epochs", "2", "--num-workers", "2", "--json"]
    )
    assert command.recipe.objective.epsilon == 0.05
    assert command.recipe.train.epochs == 2
    assert command.settings.resources.num_workers == 2
    assert command.json


def test_a_nested_scratch_teacher_can_be_changed():
    _, command = parse(["run", "demo", "--teacher.scratch.train.epochs", "3"])
    assert command.recipe.teacher.scratch.train.epochs == 3


@pytest.mark.parametrize(
    ("arguments", "named", "advice"),
    [
        (["--json"], "a verb is needed first", "run"),
        (["run"], "a recipe is needed", "demo, paper, swahili"),
        (["run", "--json"], "a recipe is needed before --json", "demo, paper, swahili"),
        (["rnu", "demo"], "no verb 'rnu'", "did you mean run?"),
        (["run", "demo", "swahili"], "Unrecognized options: swahili", "--help"),
        (["run", "demo", "--run-name", "shared"], "--run-name: is 'shared'", "give one plain name"),
        (["run", "demo", "--run-name", "a/b"], "--run-name: is 'a/b'", "give one plain name"),
        (["walk", "demo"], "no verb 'walk'", "prepare"),
        (["run", "dmeo"], "no recipe 'dmeo'", "did you mean demo?"),
        (["run", "demo", "--objective.epsilom", "1"], "--objective.epsilom", "--objective.epsilon"),
        (["run", "demo", "--train.epochs", "many"], "train.epochs", "--help"),
        (["run", "demo", "--objective.epsilon", "0"], "set a finite number above 0", "such as 0.1"),
        (["run", "demo", "--objective.epsilon", "-1"], "set a finite number above 0", "such as 0.1"),
        (["run", "demo", "--bitext.max-length-ratio", "0.5"], "bitext.max_length_ratio", "1 or more"),
    ],
)
def test_what_is_not_understood_is_refused_in_one_line(arguments, named, advice, capsys):
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert named in said
    assert advice in said


def test_error_type_carries_the_place():
    with pytest.raises(UserError) as caught:
        parse(["run", "demo", "--objective.epsilon", "0"])
    assert caught.value.where == "objective.epsilon"


@pytest.mark.parametrize(
    ("fact", "words"),
    [({"ratio": 1200, "empty": 3}, "ratio 1,200, empty 3"), ({}, "none"), (0.12345678, "0.1235"), ("a/b", "a/b")],
)
def test_facts_are_told_in_words(fact, words):
    assert in_words(fact) == words
