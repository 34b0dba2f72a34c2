"""Parsing: ``<verb> <recipe> [--field value ...]``, fields typed from the recipe's own dataclasses."""

import contextlib
import dataclasses
import difflib
import io
import re
import typing
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from optical.config import Recipe
from optical.errors import UserError
from pipelines.recipes import RECIPES, recipe
from pipelines.settings import Settings

VERBS = ("prepare", "cache", "train", "index", "search", "evaluate", "export", "run", "doctor")


@dataclass(frozen=True, kw_only=True)
class Command:
    """A parsed command line."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    json: bool = False
    """End with one JSON line on standard output instead of a table."""
    verbose: bool = False
    """Log what the library decides on the way, and show tracebacks."""


@dataclass(frozen=True, kw_only=True)
class ListCommand:
    """A parsed ``prepare --list``."""

    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    language: str | None = None
    """Only the data sets of this language."""
    json: bool = False
    """Print the list as one JSON line."""
    verbose: bool = False
    """Show tracebacks."""


def parse(arguments: list[str], verbs: tuple[str, ...] = VERBS) -> tuple[str, Command | ListCommand]:
    """The verb and the command; ``--help`` after a recipe prints every field. ``prepare --list`` needs no recipe.

    Raises:
        UserError: unknown verb, recipe or field, or a value of the wrong type.
    """
    if arguments[:2] == ["prepare", "--list"]:
        return "prepare", parse_fields(ListCommand, ListCommand(), arguments[2:], "prepare --list")
    if len(arguments) < 2 or arguments[0] not in verbs:
        verb = arguments[0] if arguments else ""
        what = f"there is no verb {verb!r}" if verb and verb not in verbs else "a verb and a recipe are needed"
        advice = f"use: <verb> <recipe>, with verb one of {', '.join(verbs)} and recipe one of {', '.join(RECIPES)}"
        raise UserError("command line", what, advice)
    verb, name, *flags = arguments
    return verb, parse_fields(Command, Command(recipe=recipe(name)), flags, f"{verb} {name}")


def parse_fields(kind: type, default: object, flags: list[str], program: str) -> object:
    """Override the fields of ``default`` by flags.

    Raises:
        UserError: an unknown flag or a value of the wrong type, in one line.
    """
    _check_flags(kind, flags, program)
    spoken = io.StringIO()
    try:
        with contextlib.redirect_stderr(spoken):
            return tyro.cli(kind, default=default, args=flags, prog=program, config=(tyro.conf.AvoidSubcommands,))
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise UserError(program, _one_line(spoken.getvalue()), "see --help for the fields and their types") from None


def _check_flags(kind: type, flags: list[str], program: str) -> None:
    known = set(_flags(kind)) | {"help"}
    for flag in flags:
        if not flag.startswith("--"):
            continue
        name = flag.removeprefix("--").split("=")[0].replace("_", "-")
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.4)
            advice = f"did you mean --{near[0]}?" if near else "see --help"
            raise UserError(f"--{name}", f"`{program}` has no such field", advice)


def _flags(kind: type, prefix: str = "") -> list[str]:
    names = []
    hints = typing.get_type_hints(kind, include_extras=True)
    for item in dataclasses.fields(kind):
        hint, bare = hints[item.name], ""
        if typing.get_origin(hint) is Annotated:
            hint, bare = typing.get_args(hint)[0], item.name
        inner = next((part for part in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(part)), None)
        name = f"{prefix}{item.name}".replace("_", "-")
        if inner is not None:
            names += _flags(inner, prefix if bare else f"{name}.")
        else:
            *path, last = name.split(".")
            names += [name, ".".join([*path, f"no-{last}"])]
    return names


def _one_line(message: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"[\u2500-\u257f]", " ", message)).strip()
