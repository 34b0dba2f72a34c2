"""The command line that repeats a run: the recipe's name, and a flag for each field that differs from it."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict

from optical.errors import UserError
from optical.recipe import Recipe
from optical.resources import Resources
from pipelines.cli.choose import component_sections, with_components
from pipelines.cli.commands import Command
from pipelines.cli.fields import flag_of, given_values, negated
from pipelines.cli.parse import PROGRAM, parse
from pipelines.recipes import known
from pipelines.recipes.from_file import recipe_from_file


def repeat_command(recipe: Recipe, resources: Resources, file: str | None = None) -> str | None:
    """The command that runs this recipe, quoted for a shell; None where no command line can say it.

    >>> from dataclasses import replace
    >>> from pipelines.recipes import recipe
    >>> demo = recipe("demo")
    >>> repeat_command(replace(demo, objective=replace(demo.objective, epsilon=0.05)), Resources())
    'python -m pipelines run demo --objective.epsilon 0.05'

    Args:
        recipe: the recipe of the run.
        resources: of the run.
        file: the ``--recipe`` of the run, which is repeated where the recipe's name alone is not enough.
    """
    named = known(recipe.name)
    starts = [([recipe.name], named)] if named else []
    if file:
        starts.append((["--recipe", file], recipe_from_file(file)))
    for words, base in starts:
        line = ["run", *words, *_differing(base, recipe), *_flags(asdict(Resources()), asdict(resources))]
        if _is_understood(line, recipe, resources):
            return f"{PROGRAM} {shlex.join(line)}"
    return None


def _is_understood(words: list[str], recipe: Recipe, resources: Resources) -> bool:
    """Whether the command line means the same: some recipes exist in Python alone."""
    try:
        command = parse(words)[1]
    except UserError:
        return False
    return isinstance(command, Command) and (command.recipe, command.settings.resources) == (recipe, resources)


def _differing(base: Recipe, recipe: Recipe) -> list[str]:
    """The flags that turn one recipe into another: those that name components, then those of their fields."""
    given = given_values(_flags(asdict(base), asdict(recipe)))
    chosen = [word for section, _ in component_sections(base) for word in _chosen(section.selector, given)]
    return chosen + _flags(asdict(with_components(base, given)), asdict(recipe))


def _chosen(selector: str, given: Mapping[str, str]) -> list[str]:
    return [f"--{selector}", given[selector]] if selector in given else []


def _flags(old: dict, new: dict, prefix: str = "") -> list[str]:
    words = []
    for name, value in new.items():
        before, flag = old.get(name), flag_of(f"{prefix}{name}")
        if isinstance(value, dict) and isinstance(before, dict):
            words += _flags(before, value, f"{flag}.")
        elif value != before:
            words += _flag(flag, value)
    return words


def _flag(flag: str, value: object) -> list[str]:
    if isinstance(value, bool):
        return [f"--{flag if value else negated(flag)}"]
    if isinstance(value, tuple):
        return [f"--{flag}", *map(str, value)]
    # A value that begins like a flag is tied to its own.
    return [f"--{flag}={value}"] if str(value).startswith("-") else [f"--{flag}", str(value)]
