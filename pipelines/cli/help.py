"""What ``--help`` says: the verbs, the recipes, and the fields of a verb, those that matter most to it first."""

import inspect
import re
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from pipelines.cli.fields import Field, fields_of, group_of, shown
from pipelines.cli.print import table
from pipelines.recipes import RECIPES
from pipelines.recipes.language_pair import EXAMPLE, SENTENCE

HELP_FLAGS = ("-h", "--help", "--help-all")
EXIT_CODES = "exit codes: 0 done, 1 bug, 2 user or configuration, 3 data, 4 numerical, 5 infrastructure, 130 Ctrl-C"
_OWN = "  your own: --recipe my_recipes.py:my_recipe, or --recipe runs/<run>/run.json for that of an earlier run"
_EVERYWHERE = ("settings", "settings.resources", "")
_WIDEST = 120
_FLAG_COLUMN = 36
# The library's markup, which a terminal does not render.
_MARKUP = str.maketrans("", "", "`")


def overview(program: str, verbs: Mapping[str, str]) -> str:
    """Everything a newcomer can type: verbs and recipes with a line each, where the fields are, the exit codes."""
    return "\n".join(
        [
            f"usage: {program} <verb> <recipe> [--field value ...]",
            "",
            "verbs:",
            _listed(list(verbs.items())),
            "",
            "recipes:",
            _recipes(),
            "",
            f"fields: {program} <verb> <recipe> --help (those of the verb), --help-all (every one)",
            EXIT_CODES,
        ]
    )


def fields_help(
    usage: str,
    sentence: str,
    commands: Mapping[str, object],
    first: Sequence[str] | None,
    with_recipes: bool,
) -> str:
    """The help of one command.

    Args:
        usage: the command as it is typed, without fields.
        sentence: what it does.
        commands: the command with its defaults by recipe: the one asked about, or every one.
        first: the fields and groups of fields to show, with those every command has; every field when None.
        with_recipes: whether to list the recipes too.
    """
    fields = _by_path(commands)
    chosen = fields if first is None else [path for path in fields if {path, group_of(path)} & {*first, *_EVERYWHERE}]
    lines = [f"usage: {usage} [--field value ...]", "", *textwrap.wrap(sentence, _width()), ""]
    if with_recipes:
        lines += ["recipes:", _recipes(), ""]
    for group, paths in groupby(chosen, group_of):
        lines += [*_section(group, [fields[path] for path in paths], first is None), ""]
    if len(chosen) < len(fields):
        lines.append(f"{len(fields) - len(chosen)} more fields, and every sentence whole: --help-all")
    return "\n".join([*lines, EXIT_CODES])


def asked_for(arguments: Sequence[str]) -> bool:
    """Whether help is asked for anywhere on a command line."""
    return any(flag in arguments for flag in HELP_FLAGS)


def _by_path(commands: Mapping[str, object]) -> dict[str, list[tuple[str, Field]]]:
    """Each field with the recipes that have it, group by group; the groups that every command has come last."""
    found: dict[str, list[tuple[str, Field]]] = {}
    for recipe, command in commands.items():
        for field in fields_of(command):
            if field.path != "recipe.name":
                found.setdefault(field.path, []).append((recipe, field))
    groups = sorted(dict.fromkeys(map(group_of, found)), key=_EVERYWHERE.count)
    return dict(sorted(found.items(), key=lambda item: groups.index(group_of(item[0]))))


def _section(group: str, fields: Sequence[list[tuple[str, Field]]], whole: bool) -> Iterator[str]:
    section = _plain(fields[0][0][1].section)
    yield f"{group.removeprefix('recipe.')}: {section}" if group.startswith("recipe.") else section
    rows = []
    for having in fields:
        field = having[0][1]
        words = _plain(field.sentence)
        if not whole:
            words = _first_sentence(words)
        if field.choices[1:]:
            words = f"[{', '.join(field.choices)}] {words}"
        if not whole:
            words = textwrap.shorten(words, _width() - _FLAG_COLUMN - 4, placeholder=" ...")
        rows.append((f"--{field.flag} {_defaults(having)}", words))
    yield table(rows, indent="  ", first=_FLAG_COLUMN, width=_width())


def _defaults(having: Sequence[tuple[str, Field]]) -> str:
    values = {recipe: shown(field.default) for recipe, field in having}
    if len(set(values.values())) == 1:
        return next(iter(values.values()))
    return ", ".join(f"{value} in {recipe}" for recipe, value in values.items())


def _recipes() -> str:
    sentences = [(name, _plain((inspect.getdoc(made) or "").partition("\n")[0])) for name, made in RECIPES.items()]
    return _listed([*sentences, (EXAMPLE, SENTENCE)]) + f"\n{_OWN}"


def _listed(rows: Sequence[tuple[str, str]]) -> str:
    return table(rows, indent="  ", width=_width())


def _first_sentence(text: str) -> str:
    return re.split(r"(?<=[.;])\s", text, maxsplit=1)[0].rstrip(";")


def _plain(text: str) -> str:
    return " ".join(text.translate(_MARKUP).split())


def _width() -> int:
    return min(_WIDEST, shutil.get_terminal_size((100, 24)).columns)
