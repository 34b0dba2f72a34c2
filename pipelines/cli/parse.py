"""Parsing: ``<verb> <recipe> [--field value ...]``, fields typed from the recipe's own dataclasses."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import tyro

from optical.errors import UserError, suggest
from pipelines.cli.choose import check_flags, with_components, without_choices
from pipelines.cli.commands import Command, MachineCommand
from pipelines.cli.fields import given_values
from pipelines.cli.help import HELP_FLAGS, asked_for, fields_help, overview
from pipelines.recipes import RECIPES, recipe_of
from pipelines.recipes.language_pair import EXAMPLE, check_complete
from pipelines.verbs import VERBS, Alone, Verb

PROGRAM = "python -m pipelines"


@dataclass(frozen=True)
class Help:
    """The answer to a question for help."""

    text: str


Parsed = Command | MachineCommand | Help
_Fields = TypeVar("_Fields")
_Full = TypeVar("_Full", bound=Command)


def parse(arguments: list[str]) -> tuple[str, Parsed]:
    """The verb and the command; help may be asked for anywhere.

    Raises:
        UserError: unknown verb, recipe or field, or a value of the wrong type.
    """
    verb, *rest = arguments or [""]
    if verb == "help" and rest and rest[0] in VERBS:
        return parse([*rest, "--help"])
    if verb == "help" and is_named(rest) and rest[0] not in RECIPES:
        raise _no_verb(rest[0])
    if verb in ("help", *HELP_FLAGS):
        return "help", Help(overview(PROGRAM, {name: known.sentence for name, known in VERBS.items()}))
    if verb not in VERBS:
        raise _no_verb(verb)
    known = VERBS[verb]
    if known.alone and _is_alone(known, known.alone, rest):
        return verb, _parse_alone(verb, known, known.alone, rest)
    return verb, parse_command(PROGRAM, verb, known, known.command or Command, rest)


def parse_command(
    program: str, name: str, verb: Verb, command: Callable[..., _Full], arguments: list[str]
) -> _Full | Help:
    """A command that needs a recipe: the recipe's name or ``--recipe``, then flags; or the answer to ``--help``.

    Args:
        program: what is typed before the verb.
        name: the verb as it is typed.
        verb: what its help says.
        command: makes the command of a recipe.
        arguments: what was typed after the verb.

    Raises:
        UserError: no recipe, an unknown recipe or field, or a value of the wrong type.
    """
    usage = f"{program} {name}".rstrip()
    named = arguments[0] if is_named(arguments) else None
    flags = arguments[1:] if named else arguments
    given = given_values(flags)
    file = given.get("recipe")
    if asked_for(arguments):
        chosen = named or file
        recipes = {chosen: recipe_of(named, file)} if chosen else {known: RECIPES[known]() for known in RECIPES}
        commands = {known: command(recipe=with_components(recipe, given)) for known, recipe in recipes.items()}
        first = None if "--help-all" in arguments else verb.fields
        return Help(fields_help(f"{usage} {named or '<recipe>'}", verb.sentence, commands, first, not chosen))
    if named and "recipe" in given:
        raise UserError("--recipe", f"is {file!r}, and the recipe {named} is named too", "leave one of them out")
    if not (named or file):
        what = f"a recipe is needed before {arguments[0]}" if arguments else "a recipe is needed"
        known = f"{', '.join(RECIPES)}, {EXAMPLE} (or another language), and your own (--recipe)"
        advice = f"the recipes are {known}; --help says more"
        raise UserError(usage, what, advice)
    parsed = parse_fields(command(recipe=recipe_of(named, file)), flags, f"{name} {named or ''}".strip())
    check_complete(parsed.recipe)
    return parsed


def parse_fields(default: _Fields, flags: list[str], program: str) -> _Fields:
    """The dataclass, a command for instance, with the values that flags give, in the components that flags name.

    Raises:
        UserError: an unknown flag or a value of the wrong type, in one line.
    """
    given = given_values(flags)
    default = with_components(default, given)
    check_flags(default, given, program)
    message = io.StringIO()
    try:
        with contextlib.redirect_stderr(message):
            config = (tyro.conf.AvoidSubcommands,)
            words = without_choices(default, flags)
            return tyro.cli(type(default), default=default, args=words, prog=program, config=config)
    except SystemExit:
        raise UserError(program, _one_line(message.getvalue()), "see --help for the fields and their types") from None


def is_named(arguments: list[str]) -> bool:
    """Whether the first word is a name, not a flag."""
    return bool(arguments) and not arguments[0].startswith("-")


def _is_alone(verb: Verb, alone: Alone, arguments: list[str]) -> bool:
    """Whether a verb that can do without a recipe is asked to."""
    if alone.flag:
        return arguments[:1] == [alone.flag]
    return verb.command is None or not (
        is_named(arguments) or "recipe" in given_values(arguments) or asked_for(arguments)
    )


def _parse_alone(name: str, verb: Verb, alone: Alone, arguments: list[str]) -> MachineCommand | Help:
    """A command without a recipe, or the answer to ``--help``."""
    program, flags = f"{name} {alone.flag}".strip(), arguments[1:] if alone.flag else arguments
    if asked_for(arguments):
        usage = f"{PROGRAM} {program}" + (f" <{alone.words}>" if alone.words else "")
        return Help(fields_help(usage, alone.sentence or verb.sentence, {"": alone.command()}, None, False))
    if alone.words and is_named(flags):
        flags = [f"--{alone.words}", *flags]
    return parse_fields(alone.command(), flags, program)


def _no_verb(verb: str) -> UserError:
    if not verb or verb.startswith("-"):
        return UserError("command line", "a verb is needed first", f"the verbs are {', '.join(VERBS)}")
    all_verbs = f"the verbs are {', '.join(VERBS)}; --help describes them"
    return UserError("command line", f"there is no verb {verb!r}", suggest(verb, VERBS, all_verbs))


def _one_line(message: str) -> str:
    """The message in tyro's box without the frame, the box's title and the advice at its end."""
    lines = [line.strip(" \u2502") for line in message.splitlines() if "\u2500" not in line]
    words = " ".join(" ".join(lines).split())
    return words.split(" For full helptext")[0].removesuffix(".")
