"""Recipes: registered, of a language pair, of one's own file, and of an earlier run."""

import json
import pickle
import shlex
import subprocess
import sys
from dataclasses import replace
from textwrap import dedent

import pytest

from optical import cluster
from optical.artefacts import Fingerprint, write_json
from optical.data.registry.datasets import datasets
from optical.errors import DataError, UserError
from optical.index.kinds import faiss
from optical.objectives import contrastive
from optical.recipe import decisive
from optical.resources import Resources
from pipelines.__main__ import main
from pipelines.cli.parse import parse
from pipelines.cli.repeat import repeat_command
from pipelines.recipes import RECIPES, from_file, recipe
from pipelines.recipes.from_file import recipe_from_file
from tune.command_line import parse as parse_search

OWN = """
    from __future__ import annotations
    from dataclasses import dataclass, replace
    from optical.objectives.ot import Config
    from pipelines.recipes import recipe

    @dataclass(frozen=True, kw_only=True)
    class Mine(Config):
        '''An objective of my own.'''
        name: str = "mine"
        strength: float = 2.0
        '''How strong it is.'''

    def somali():
        return replace(recipe("som-eng"), name="my-somali")

    def strong():
        return replace(recipe("demo"), name="strong", objective=Mine(epsilon=0.2))

    def number():
        return 3
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """A file of recipes."""
    monkeypatch.setattr(cluster, "PICKLED_BY_VALUE", [])
    path = tmp_path / "my_recipes.py"
    path.write_text(dedent(OWN))
    yield path
    sys.modules.pop("recipe_file_my_recipes", None)


# a language pair


def test_a_language_pair_takes_the_counted_bitext_and_a_collection_of_the_registry():
    som = recipe("som-eng")
    assert som.bitext.datasets == ("tico19-som", "hornmt-som", "flores-sib200-som")
    assert (som.name, som.bitext.source, som.bitext.target) == ("som-eng", "som", "eng")
    assert (som.evaluation.collection, som.teacher.weights) == ("ntrex-headlines-som", "multilingual-e5-small")
    assert som.student.vocabulary == 8000
    assert recipe("Somali-eng") == som
    pairs = sum(datasets()[name].count for name in som.bitext.datasets)
    assert som.train.epochs == round(30_000 / pairs)


@pytest.mark.parametrize(
    ("name", "vocabulary"), [("twi-eng", 0), ("bem-eng", 8000), ("zul-eng", 8000), ("mos-eng", 8000)]
)
def test_a_few_hundred_pairs_add_no_vocabulary(name, vocabulary):
    assert recipe(name).student.vocabulary == vocabulary


@pytest.mark.parametrize(("name", "collection"), [("swa-eng", "afriqa-swa"), ("tel-eng", "xor-tydi-dev-tel")])
def test_questions_are_preferred_to_sentences_and_generated_data_is_left_out(name, collection):
    assert recipe(name).evaluation.collection == collection
    assert not any(spec.startswith("demo") for spec in recipe(name).bitext.datasets)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["smo-eng"], "bitext.datasets: the registry has no bitext of Samoan and English; give files"),
        (["mos-eng", "--bitext.datasets", "a.tsv"], "the registry has no test collection in Mossi; give a folder"),
        (["som-fra"], "recipe som-fra: pairs a language with another one than English"),
        (["somalee-eng"], "recipe somalee-eng, language 'somalee': not in the languages table; did you mean"),
        (["som"], "there is no recipe 'som'"),
    ],
)
def test_what_the_registry_lacks_is_named_with_what_to_give(arguments, words, capsys):
    assert main(["run", *arguments]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_what_the_registry_lacks_can_be_given_by_flags():
    flags = ["--bitext.datasets", "a.tsv", "--evaluation.collection", "topics/"]
    _, command = parse(["run", "mos-eng", *flags])
    assert command.recipe.bitext.datasets == ("a.tsv",)
    assert command.recipe.evaluation.collection == "topics/"


def test_help_shows_what_must_be_given(capsys):
    assert main(["run", "mos-eng", "--help"]) == 0
    assert "--bitext.datasets (needed)" in capsys.readouterr().out


# one's own file


def test_a_recipe_of_ones_own_takes_flags_like_any_other(own):
    _, command = parse(["run", "--recipe", f"{own}:somali", "--train.epochs", "2", "--json"])
    assert command.recipe == replace(recipe("som-eng"), name="my-somali", train=replace(command.recipe.train, epochs=2))
    assert command.json
    assert parse(["run", "--train.epochs=2", f"--recipe={own}:somali", "--json"])[1].recipe == command.recipe
    assert parse_search(["--recipe", f"{own}:somali", "--trials", "3"]).campaign.trials == 3


def test_the_help_of_a_recipe_of_ones_own_shows_its_fields(own, capsys):
    assert main(["run", "--recipe", f"{own}:strong", "--help"]) == 0
    assert "--objective.strength 2.0" in capsys.readouterr().out
    flags = ["--objective.name", "mine", "--objective.strength", "4"]
    _, command = parse(["doctor", "--recipe", f"{own}:strong", *flags])
    assert command.recipe.objective.strength == 4


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ("{own}:somalia", 2, "has no function 'somalia'; did you mean somali?"),
        ("{own}:number", 2, "returns int, no Recipe"),
        ("{own}", 2, "names no recipe; give my_recipes.py:my_recipe"),
        ("{own}x.py:somali", 3, "x.py: no such file"),
        ("{own}.json", 3, "no such file"),
    ],
)
def test_a_file_without_such_a_recipe_is_refused(own, spec, code, words, capsys):
    assert main(["run", "--recipe", spec.format(own=own)]) == code
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_two_recipes_are_one_too_many(own, capsys):
    assert main(["run", "demo", "--recipe", f"{own}:somali"]) == 2
    assert "the recipe demo is named too" in capsys.readouterr().err


def test_a_file_is_imported_only_when_it_is_named(own):
    parse(["run", "demo", "--help"])
    assert "recipe_file_my_recipes" not in sys.modules
    parse(["run", "--recipe", f"{own}:somali"])
    assert "recipe_file_my_recipes" in sys.modules


def test_objects_of_the_file_reach_a_worker_that_does_not_have_it(own, tmp_path, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    made = recipe_from_file(f"{own}:strong")
    cluster.connect(Resources())
    (tmp_path / "pickle").write_bytes(ray.cloudpickle.dumps(made))
    load = "import pickle, sys; print(pickle.load(open(sys.argv[1], 'rb')).objective.strength)"
    child = [sys.executable, "-c", load, str(tmp_path / "pickle")]
    assert subprocess.run(child, capture_output=True, text=True, check=True).stdout == "2.0\n"
    with pytest.raises(subprocess.CalledProcessError):
        (tmp_path / "pickle").write_bytes(pickle.dumps(made))
        subprocess.run(child, capture_output=True, check=True)


# an earlier run


@pytest.mark.parametrize("name", [*RECIPES, "som-eng"])
def test_the_recipe_of_a_run_is_read_back_as_it_was(name, tmp_path):
    made = recipe(name)
    write_json(tmp_path / "run.json", {"recipe": made.as_dict(), "fingerprint": "f" * 64})
    assert recipe_from_file(str(tmp_path / "run.json")) == made


@pytest.mark.parametrize(
    ("section", "changes", "words"),
    [
        ("train", {"epochs": "many"}, "has train.epochs = 'many'; a value of type <class 'int'> belongs there"),
        ("train", {"epochs": True}, "has train.epochs = True"),
        (
            "train",
            {"learning_rate": "1"},
            "has train.learning_rate = '1'; a value of type <class 'float'> belongs there",
        ),
        ("train", {"epoch": 1}, "has train.epoch, which no recipe has"),
        ("train", {"epochs": None}, "has train.epochs = None"),
        ("bitext", {"datasets": "demo"}, "has bitext.datasets = 'demo'"),
        ("bitext", {"cleaning": 3}, "has bitext.cleaning = 3"),
        ("objective", {"method": "walk"}, "has objective.method = 'walk'"),
    ],
)
def test_a_wrong_value_of_a_run_is_refused_by_name(section, changes, words, tmp_path):
    values = recipe("demo").as_dict()
    values[section] |= changes
    write_json(tmp_path / "run.json", {"recipe": values})
    with pytest.raises(DataError) as caught:
        recipe_from_file(str(tmp_path / "run.json"))
    assert words in str(caught.value)


def test_a_missing_key_of_a_run_is_refused_by_name(tmp_path):
    values = recipe("demo").as_dict()
    del values["teacher"]["scratch"]["temperature"]
    write_json(tmp_path / "run.json", {"recipe": values})
    with pytest.raises(DataError, match=r"lacks teacher\.scratch\.temperature"):
        recipe_from_file(str(tmp_path / "run.json"))


@pytest.mark.parametrize("text", ["{", "[]", "{}", json.dumps({"recipe": []})])
def test_another_file_is_no_recipe(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(DataError, match="give my_recipes.py"):
        recipe_from_file(str(tmp_path / "run.json"))


def test_a_field_out_of_range_in_a_run_is_refused_as_on_the_command_line(tmp_path):
    values = recipe("demo").as_dict()
    values["objective"]["epsilon"] = -1.0
    write_json(tmp_path / "run.json", {"recipe": values})
    with pytest.raises(UserError, match=r"objective\.epsilon: is -1"):
        recipe_from_file(str(tmp_path / "run.json"))


# repeating


def test_the_repeating_command_of_a_recipe_of_ones_own_names_its_file(own):
    spec = f"{own}:strong"
    made = recipe_from_file(spec)
    made = replace(made, objective=replace(made.objective, strength=5.0))
    line = repeat_command(made, Resources(), spec)
    assert line == f"python -m pipelines run --recipe {shlex.quote(spec)} --objective.strength 5.0"
    assert parse(shlex.split(line)[3:])[1].recipe == made
    assert repeat_command(made, Resources()) is None


def test_the_repeating_command_names_another_component_before_its_fields():
    index = faiss.Config(depth=recipe("demo").index.depth, factory="IVF8,SQ8")
    made = replace(recipe("demo"), objective=contrastive.Config(temperature=0.1), index=index)
    line = repeat_command(made, Resources())
    chosen = "--objective.name contrastive --index.search faiss"
    fields = "--objective.temperature 0.1 --index.factory IVF8,SQ8"
    assert line == f"python -m pipelines run demo {chosen} {fields}"
    assert parse(shlex.split(line)[3:])[1].recipe == made


def test_the_repeating_command_of_a_read_run_needs_its_name_alone(tmp_path):
    made = replace(recipe("som-eng"), student=replace(recipe("som-eng").student, vocabulary=4000))
    write_json(tmp_path / "run.json", {"recipe": made.as_dict()})
    line = repeat_command(made, Resources(), str(tmp_path / "run.json"))
    assert line == "python -m pipelines run som-eng --student.vocabulary 4000"


# code of one's own


def test_an_objective_of_the_users_file_is_part_of_every_fingerprint(own, monkeypatch):
    def fingerprint():
        made = recipe_from_file(f"{own}:strong")
        return Fingerprint.of("student", 1, decisive(made)["objective"])

    before = fingerprint()
    assert fingerprint() == before
    own.write_text(own.read_text().replace("class Mine(Config):", "class Mine(Config):\n    lessons = 3"))
    from_file._module.cache_clear()
    assert fingerprint() != before


def test_the_hash_of_the_file_travels_with_the_class_to_a_worker(own, tmp_path, monkeypatch):
    import ray

    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    made = recipe_from_file(f"{own}:strong")
    cluster.connect(Resources())
    (tmp_path / "pickle").write_bytes(ray.cloudpickle.dumps(made))
    load = "import pickle, sys; from optical.recipe import decisive; "
    load += "print(decisive(pickle.load(open(sys.argv[1], 'rb')))['objective']['code'])"
    child = [sys.executable, "-c", load, str(tmp_path / "pickle")]
    said = subprocess.run(child, capture_output=True, text=True, check=True).stdout
    assert said.strip() == decisive(made)["objective"]["code"]


def test_a_class_of_ones_own_has_a_name_of_its_own(own):
    own.write_text(own.read_text().replace('"mine"', '"ot"'))
    with pytest.raises(UserError, match="a class Mine whose name is 'ot', the name of another objective"):
        recipe_from_file(f"{own}:strong")


def test_the_record_of_a_run_with_an_objective_of_ones_own_says_how_to_repeat_it(own, tmp_path):
    write_json(tmp_path / "run.json", {"recipe": recipe_from_file(f"{own}:strong").as_dict()})
    with pytest.raises(DataError, match=r"has objective.name = 'mine', and there are .* --recipe my_recipes.py"):
        recipe_from_file(str(tmp_path / "run.json"))


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def good():\n    return 1 / 0\n", "bad.py, line 2: ZeroDivisionError: division by zero; correct that file"),
        ("def good(x):\n    return x\n", "TypeError: good() missing 1 required positional argument"),
        ("import nosuchmodule\n", "bad.py, line 1: ModuleNotFoundError: No module named 'nosuchmodule'"),
        ("\ndef good(:\n", "bad.py, line 2: SyntaxError"),
        ("from pipelines.recipes.demo import demo\ndef sums(): ...\n", "no function 'good'; its functions are sums"),
    ],
)
def test_what_the_users_code_raises_is_reported_of_the_users_file(code, words, tmp_path, capsys):
    (tmp_path / "bad.py").write_text(code)
    assert main(["run", "--recipe", f"{tmp_path}/bad.py:good"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("name", ["eng-som", "en-so", "english-somali"])
def test_a_swapped_pair_is_told_the_order(name):
    with pytest.raises(UserError, match="the query language comes first: som-eng"):
        recipe(name)


def test_a_pair_of_english_with_itself_is_refused():
    with pytest.raises(UserError, match="has English as its query language"):
        recipe("eng-eng")


@pytest.mark.parametrize("name", ["", "../evil", "a/b", "..", "shared"])
def test_the_name_of_a_recipe_names_a_folder(name):
    with pytest.raises(UserError, match="name: is "):
        replace(recipe("demo"), name=name)


def test_a_run_of_a_version_without_a_component_is_said_to_be_one(tmp_path):
    values = recipe("demo").as_dict()
    del values["evaluation"]["protocol"]
    write_json(tmp_path / "run.json", {"recipe": values})
    with pytest.raises(DataError, match=r"lacks evaluation\.protocol; it is a run of another version"):
        recipe_from_file(str(tmp_path / "run.json"))
