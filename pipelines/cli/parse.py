"""Parsing: ``<verb> <recipe> [--field value ...]``, fields typed from the recipe's own dataclasses."""

import contextlib
import difflib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import tyro

from optical.errors import UserError
from optical.recipe import Recipe
from pipelines.cli.fields import fields_of
from pipelines.cli.help import HELP_FLAGS, asked_for, fields_help, overview
from pipelines.environment import Settings
from pipelines.recipes import RECIPES, recipe
from pipelines.verbs import VERBS, Verb

PROGRAM = "python -m pipelines"


@dataclass(frozen=True, kw_only=True)
class Command:
    """What it tells."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    json: bool = False
    """End with one JSON line on standard output instead of a table."""
    verbose: bool = False
    """Log what the library decides on the way, and show tracebacks."""


@dataclass(frozen=True, kw_only=True)
class MachineCommand:
    """What it tells."""

    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    json: bool = False
    """Print one JSON line instead of a table."""
    verbose: bool = False
    """Show tracebacks."""


@dataclass(frozen=True, kw_only=True)
class ListCommand(MachineCommand):
    """What it tells."""

    language: str | None = None
    """Only the data sets of this language."""


@dataclass(frozen=True)
class Help:
    """A question for help, answered."""

    text: str


Parsed = Command | MachineCommand | ListCommand | Help


def parse(arguments: list[str]) -> tuple[str, Parsed]:
    """The verb and the command. ``doctor`` and ``prepare --list`` need no recipe; help may be asked for anywhere.

    Raises:
        UserError: unknown verb, recipe or field, or a value of the wrong type.
    """
    verb, *rest = arguments or [""]
    if verb == "help" and rest and rest[0] in VERBS:
        return parse([*rest, "--help"])
    if verb == "help" and rest and not rest[0].startswith("-") and rest[0] not in RECIPES:
        raise UserError("command line", _no_verb(rest[0]), f"the verbs are {', '.join(VERBS)}")
    if verb in ("help", *HELP_FLAGS):
        sentences = {name: known.sentence for name, known in VERBS.items()}
        return "help", Help(overview(PROGRAM, sentences, RECIPES))
    if verb not in VERBS:
        raise UserError("command line", _no_verb(verb), f"the verbs are {', '.join(VERBS)}; --help says what they do")
    if asked_for(rest):
        return verb, _list_help() if rest[0] == "--list" else help_on(f"{PROGRAM} {verb}", VERBS[verb], Command, rest)
    if verb == "prepare" and rest[:1] == ["--list"]:
        return verb, parse_fields(ListCommand(), rest[1:], "prepare --list")
    if verb == "doctor" and not is_named(rest):
        return verb, parse_fields(MachineCommand(), rest, "doctor")
    name, flags = recipe_and_flags(rest, f"{PROGRAM} {verb}")
    return verb, parse_fields(Command(recipe=recipe(name)), flags, f"{verb} {name}")


def help_on(program: str, verb: Verb, command: Callable[..., object], rest: list[str]) -> Help:
    """The fields of a command: those of the recipe that is named first, or of every recipe.

    Args:
        program: what is typed before the recipe.
        verb: its sentence, and the fields to show unless ``--help-all`` asks for every one.
        command: makes the command of a recipe.
        rest: what was typed after ``program``.
    """
    chosen = rest[:1] if is_named(rest) else []
    commands = {name: command(recipe=recipe(name)) for name in chosen or RECIPES}
    usage = f"{program} {chosen[0] if chosen else '<recipe>'}"
    first = None if "--help-all" in rest else verb.fields
    return Help(fields_help(usage, verb.sentence, commands, {} if chosen else RECIPES, first))


def recipe_and_flags(arguments: list[str], program: str) -> tuple[str, list[str]]:
    """The recipe's name, which comes before every flag, and the flags.

    Raises:
        UserError: no recipe is named first.
    """
    if is_named(arguments):
        return arguments[0], arguments[1:]
    what = f"a recipe is needed before {arguments[0]}" if arguments else "a recipe is needed"
    raise UserError(program, what, f"the recipes are {', '.join(RECIPES)}; --help says more")


def parse_fields(default: object, flags: list[str], program: str) -> object:
    """Override the fields of ``default`` by flags.

    Raises:
        UserError: an unknown flag or a value of the wrong type, in one line.
    """
    _check_flags(default, flags, program)
    spoken = io.StringIO()
    try:
        with contextlib.redirect_stderr(spoken):
            config = (tyro.conf.AvoidSubcommands,)
            return tyro.cli(type(default), default=default, args=flags, prog=program, config=config)
    except SystemExit:
        raise UserError(program, _one_line(spoken.getvalue()), "see --help for the fields and their types") from None


def is_named(arguments: list[str]) -> bool:
    """Whether a recipe stands where it belongs, before every flag."""
    return bool(arguments) and not arguments[0].startswith("-")


def _list_help() -> Help:
    sentence = "every data set there is: languages, pairs, size, where it can be had now, licence"
    return Help(fields_help(f"{PROGRAM} prepare --list", sentence, {"": ListCommand()}, {}, None))


def _no_verb(verb: str) -> str:
    if not verb or verb.startswith("-"):
        return "a verb is needed first"
    near = difflib.get_close_matches(verb, VERBS, n=1)
    return f"there is no verb {verb!r}" + (f", did you mean {near[0]}?" if near else "")


def _check_flags(default: object, flags: list[str], program: str) -> None:
    known = {flag for field in fields_of(default) for flag in field.flags}
    for flag in flags:
        if not flag.startswith("--"):
            continue
        name = flag.removeprefix("--").split("=")[0].replace("_", "-")
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=0.4)
            advice = f"did you mean --{near[0]}?" if near else "see --help"
            raise UserError(f"--{name}", f"`{program}` has no such field", advice)


def _one_line(message: str) -> str:
    """What tyro says in its box: without the frame, the title in it, and the advice below."""
    lines = [line.strip(" \u2502") for line in message.splitlines() if "\u2500" not in line]
    words = " ".join(" ".join(lines).split())
    return words.split(" For full helptext")[0].removesuffix(".")
