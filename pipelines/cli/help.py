"""What ``--help`` says: the verbs, the recipes, and the fields of a verb, the ones it is about first."""

import inspect
import re
import shutil
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from optical.recipe import Recipe
from pipelines.cli.fields import Field, fields_of, shown

HELP_FLAGS = ("-h", "--help", "--help-all")
EXIT_CODES = "exit codes: 0 done, 1 bug, 2 user or configuration, 3 data, 4 numerical, 5 infrastructure, 130 Ctrl-C"
_EVERYWHERE = ("settings", "settings.resources", "")
_WIDEST = 120
_FLAG_COLUMN = 40
# The library's markup, which a terminal does not render.
_MARKUP = str.maketrans("", "", "`")


def overview(program: str, verbs: Mapping[str, str], recipes: Mapping[str, Callable[[], Recipe]]) -> str:
    """Everything a newcomer can type: verbs and recipes with a line each, where the fields are, the exit codes."""
    return "\n".join(
        [
            f"usage: {program} <verb> <recipe> [--field value ...]",
            "",
            "verbs:",
            *_table(verbs),
            "",
            "recipes:",
            *_table(_sentences(recipes)),
            "",
            f"fields: {program} <verb> <recipe> --help (those of the verb), --help-all (every one)",
            EXIT_CODES,
        ]
    )


def fields_help(
    usage: str,
    sentence: str,
    commands: Mapping[str, object],
    recipes: Mapping[str, Callable[[], Recipe]],
    first: Sequence[str] | None,
) -> str:
    """The help of one command.

    Args:
        usage: the command as it is typed, without fields.
        sentence: what it does.
        commands: the command with its defaults by recipe: the one asked about, or every one.
        recipes: those to list; none when one is chosen already.
        first: the fields and groups of fields to show, with those every command has; every field when None.
    """
    fields = _by_path(commands)
    chosen = fields if first is None else [path for path in fields if {path, _group(path)} & {*first, *_EVERYWHERE}]
    lines = [f"usage: {usage} [--field value ...]", "", *textwrap.wrap(sentence, _width()), ""]
    if recipes:
        lines += ["recipes:", *_table(_sentences(recipes)), ""]
    for group, paths in groupby(chosen, _group):
        lines += [*_section(group, [fields[path] for path in paths], first is None), ""]
    if len(chosen) < len(fields):
        lines.append(f"{len(fields) - len(chosen)} more fields, and every sentence whole: --help-all")
    return "\n".join([*lines, EXIT_CODES])


def asked_for(arguments: Sequence[str]) -> bool:
    """Whether help is asked for anywhere on a command line."""
    return any(flag in arguments for flag in HELP_FLAGS)


def _by_path(commands: Mapping[str, object]) -> dict[str, list[tuple[str, Field]]]:
    """Each field with the recipes that have it, in the order of the first command that does."""
    found: dict[str, list[tuple[str, Field]]] = {}
    for recipe, command in commands.items():
        for field in fields_of(command):
            if field.path != "recipe.name":
                found.setdefault(field.path, []).append((recipe, field))
    groups = list(dict.fromkeys(map(_group, found)))
    return dict(sorted(found.items(), key=lambda item: groups.index(_group(item[0]))))


def _group(path: str) -> str:
    return path.rpartition(".")[0]


def _section(group: str, fields: Sequence[list[tuple[str, Field]]], whole: bool) -> Iterator[str]:
    section = fields[0][0][1].section
    name = group.removeprefix("recipe.")
    yield f"{name}: {_plain(section)}" if group.startswith("recipe.") else _plain(section)
    for having in fields:
        field = having[0][1]
        flag, words = f"  --{field.flag} {_defaults(having)}", _plain(field.sentence)
        if not whole:
            words = _first_sentence(words)
        if field.choices[1:]:
            words = f"[{', '.join(field.choices)}] {words}"
        if not whole:
            words = textwrap.shorten(words, _width() - _FLAG_COLUMN, placeholder=" ...")
        yield from _row(flag, words, _FLAG_COLUMN)


def _defaults(having: Sequence[tuple[str, Field]]) -> str:
    values = {recipe: shown(field.default) for recipe, field in having}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} in {recipe}" for recipe, value in values.items())


def _row(left: str, right: str, column: int) -> Iterator[str]:
    right_lines = textwrap.wrap(right, _width() - column) or [""]
    if len(left) + 2 > column:
        yield left
    else:
        yield f"{left:<{column}}{right_lines.pop(0)}".rstrip()
    yield from (" " * column + line for line in right_lines if line)


def _table(lines: Mapping[str, str]) -> Iterator[str]:
    column = max(map(len, lines)) + 4
    for name, words in lines.items():
        yield from _row(f"  {name}", words, column)


def _sentences(recipes: Mapping[str, Callable[[], Recipe]]) -> dict[str, str]:
    return {name: _plain(inspect.getdoc(recipe).splitlines()[0]) for name, recipe in recipes.items()}


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;])\s", text, maxsplit=1)[0].rstrip(";")


def _plain(text: str) -> str:
    return " ".join(text.translate(_MARKUP).split())


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)
