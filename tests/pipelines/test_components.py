"""Components by flags: the fields of the chosen one are parsed, shown and refused by name."""

import importlib
import sys
from dataclasses import dataclass, field, replace
from textwrap import dedent
from typing import Any

import pytest

from optical import components
from optical.errors import UserError
from pipelines.cli.choose import check_flags, with_components
from pipelines.cli.commands import MachineCommand
from pipelines.cli.fields import fields_of, given_values, sections_of
from pipelines.cli.parse import parse_fields

FILES = {
    "__init__": "",
    "base": '''
        from dataclasses import dataclass

        @dataclass(frozen=True, kw_only=True)
        class FruitConfig:
            """A fruit."""
            kind: str
            weight: int = 100
            """Weight in grams."""
    ''',
    "apple": '''
        from dataclasses import dataclass
        from toy_fruits.base import FruitConfig

        @dataclass(frozen=True, kw_only=True)
        class Config(FruitConfig):
            """An apple."""
            kind: str = "apple"
            cores: int = 1
            """Number of cores."""
    ''',
    "pear": '''
        from dataclasses import dataclass
        from toy_fruits.base import FruitConfig

        @dataclass(frozen=True, kw_only=True)
        class Config(FruitConfig):
            """A pear."""
            kind: str = "pear"
            ripe: bool = False
            """Whether it is soft."""
            sugar: float = 0.1
            """Share of sugar."""
    ''',
}


@pytest.fixture
def command(tmp_path, monkeypatch) -> Any:
    """A command with a recipe of one section, an apple of a package of fruits."""
    folder = tmp_path / "toy_fruits"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / f"{name}.py").write_text(dedent(text))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(components, "KINDS", (components.Kind("toy_fruits", "kind"),))
    for name in [name for name in sys.modules if name.startswith("toy_fruits")]:
        monkeypatch.delitem(sys.modules, name)
    base, apple = importlib.import_module("toy_fruits.base"), importlib.import_module("toy_fruits.apple")

    @dataclass(frozen=True, kw_only=True)
    class Basket:
        """A basket."""

        fruit: base.FruitConfig = field(default_factory=apple.Config)

    @dataclass(frozen=True, kw_only=True)
    class Carry(MachineCommand):
        """A command about a basket."""

        basket: Basket = field(default_factory=Basket)

    yield Carry()
    for name in [name for name in sys.modules if name.startswith("toy_fruits")]:
        sys.modules.pop(name)


def test_a_flag_chooses_the_component_whose_fields_are_parsed(command):
    flags = ["--basket.fruit.sugar", "0.3", "--basket.fruit.kind", "pear", "--basket.fruit.ripe"]
    fruit = parse_fields(command, flags, "carry").basket.fruit
    assert type(fruit).__module__ == "toy_fruits.pear"
    assert (fruit.kind, fruit.sugar, fruit.ripe, fruit.weight) == ("pear", 0.3, True, 100)


def test_the_chosen_component_is_also_named_with_an_equals_sign_and_the_last_name_counts(command):
    flags = ["--basket.fruit.kind=pear", "--basket.fruit.kind=apple", "--basket.fruit.cores", "2"]
    assert parse_fields(command, flags, "carry").basket.fruit.cores == 2


def test_a_common_field_that_was_set_is_kept_and_flags_come_last(command):
    heavy = replace(command, basket=replace(command.basket, fruit=replace(command.basket.fruit, weight=7, cores=3)))
    chosen = with_components(heavy, {"basket.fruit.kind": "pear"})
    assert (chosen.basket.fruit.kind, chosen.basket.fruit.weight) == ("pear", 7)
    flags = ["--basket.fruit.kind", "pear", "--basket.fruit.weight", "8"]
    assert parse_fields(heavy, flags, "carry").basket.fruit.weight == 8


def test_the_component_that_is_there_already_keeps_its_fields(command):
    special = replace(command, basket=replace(command.basket, fruit=replace(command.basket.fruit, cores=3)))
    assert parse_fields(special, ["--basket.fruit.kind", "apple"], "carry") == special


@pytest.mark.parametrize(
    ("flags", "where", "words"),
    [
        (["--basket.fruit.kind", "paer"], "basket.fruit.kind", "is 'paer'; did you mean pear?"),
        (["--basket.fruit.kind", "xyz"], "basket.fruit.kind", "is 'xyz'; choose one of: apple, pear"),
        (
            ["--basket.fruit.sugar", "1"],
            "--basket.fruit.sugar",
            "is a field of basket.fruit.kind pear, and basket.fruit.kind is apple here; add --basket.fruit.kind pear",
        ),
        (["--basket.fruit.no-ripe"], "--basket.fruit.no-ripe", "add --basket.fruit.kind pear"),
        (["--basket.fruit.kind", "pear", "--basket.fruit.cores", "1"], "--basket.fruit.cores", "kind apple"),
        (["--basket.fruit.wieght", "1"], "--basket.fruit.wieght", "did you mean --basket.fruit.weight?"),
    ],
)
def test_what_the_chosen_component_lacks_is_refused_with_the_component_that_has_it(command, flags, where, words):
    with pytest.raises(UserError) as caught:
        parse_fields(command, flags, "carry")
    assert caught.value.where == where
    assert words in str(caught.value)


def test_help_lists_the_names_and_the_fields_of_the_chosen_component(command):
    fields = {item.flag: item for item in fields_of(with_components(command, {"basket.fruit.kind": "pear"}))}
    assert fields["basket.fruit.kind"].choices == ("apple", "pear")
    assert fields["basket.fruit.sugar"].sentence == "Share of sugar."
    assert fields["basket.fruit.weight"].sentence == "Weight in grams."
    assert "basket.fruit.cores" not in fields


def test_a_file_added_to_the_package_is_a_component(command, tmp_path):
    text = FILES["apple"].replace("apple", "plum").replace("cores", "stones")
    (tmp_path / "toy_fruits" / "plum.py").write_text(dedent(text))
    importlib.invalidate_caches()
    flags = ["--basket.fruit.kind", "plum", "--basket.fruit.stones", "1"]
    assert parse_fields(command, flags, "carry").basket.fruit.kind == "plum"
    (section,) = (section for section in sections_of(command.basket, prefix="basket."))
    assert section.selector == "basket.fruit.kind"


def test_unknown_flags_of_a_command_without_components_are_refused():
    with pytest.raises(UserError, match="did you mean --json"):
        check_flags(MachineCommand(), given_values(["--jsno"]), "doctor")


@pytest.mark.parametrize("flags", [["exact", "faiss"], ["faiss", "faiss"], ["exact", "exact", "faiss"]])
def test_the_last_of_equal_choices_counts(flags):
    from pipelines.cli.parse import parse

    words = [word for name in flags for word in ("--index.search", name)]
    for given in (words, [f"--index.search={name}" for name in flags]):
        command: Any = parse(["run", "demo", *given, "--index.num-probes", "4"])[1]
        assert (command.recipe.index.search, command.recipe.index.num_probes) == ("faiss", 4)
