"""The command line that repeats a run: the recipe's name, and a flag for each field that differs from it."""

import shlex
from dataclasses import asdict

from optical.errors import UserError
from optical.recipe import Recipe
from optical.resources import Resources
from pipelines.cli.parse import parse
from pipelines.recipes import RECIPES

PROGRAM = "python -m pipelines"


def repeat_command(recipe: Recipe, resources: Resources) -> str | None:
    """The command that runs this recipe, quoted for a shell; None where no command line can say it.

    >>> from dataclasses import replace
    >>> demo = RECIPES["demo"]()
    >>> repeat_command(replace(demo, objective=replace(demo.objective, epsilon=0.05)), Resources())
    'python -m pipelines run demo --objective.epsilon 0.05'
    """
    if recipe.name not in RECIPES:
        return None
    flags = _flags(asdict(RECIPES[recipe.name]()), asdict(recipe)) + _flags(asdict(Resources()), asdict(resources))
    words = ["run", recipe.name, *flags]
    return f"{PROGRAM} {shlex.join(words)}" if _understood(words, recipe, resources) else None


def _understood(words: list[str], recipe: Recipe, resources: Resources) -> bool:
    """Whether the command line means the same: some recipes exist in Python alone."""
    try:
        command = parse(words)[1]
    except UserError:
        return False
    return command.recipe == recipe and command.settings.resources == resources


def _flags(old: dict, new: dict, prefix: str = "") -> list[str]:
    words = []
    for name, value in new.items():
        before, flag = old[name], f"{prefix}{name}".replace("_", "-")
        if isinstance(value, dict) and isinstance(before, dict):
            words += _flags(before, value, f"{flag}.")
        elif value != before:
            words += _flag(flag, value)
    return words


def _flag(name: str, value: object) -> list[str]:
    if isinstance(value, bool):
        *path, last = name.split(".")
        return ["--" + (name if value else ".".join([*path, f"no-{last}"]))]
    if isinstance(value, tuple):
        return [f"--{name}", *map(str, value)]
    # A value that begins like a flag is tied to its own.
    return [f"--{name}={value}"] if str(value).startswith("-") else [f"--{name}", str(value)]
