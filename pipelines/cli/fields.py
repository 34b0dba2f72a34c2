"""The fields of a command: their flags, types, defaults and sentences, read from its dataclasses."""

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Any, Literal

from optical import components


@dataclass(frozen=True)
class Field:
    """One field: ``path`` is its place in the command (``recipe.train.epochs``), ``flag`` what the user types.

    ``choices`` are the values that it can have, where these are few words; ``section`` says what its section is about.
    """

    path: str
    flag: str
    hint: object
    default: Any
    sentence: str
    section: str
    choices: tuple[str, ...]

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag that sets it; a true-or-false field has a ``--no-`` form too."""
        return (self.flag, negated(self.flag)) if self.hint is bool else (self.flag,)


@dataclass(frozen=True)
class Section:
    """A section of a configuration: its path there, the start of its flags, its value, and its kind of component."""

    path: str
    prefix: str
    value: Any
    kind: components.Kind | None

    @property
    def selector(self) -> str:
        """The flag that names its component."""
        return flag_of(f"{self.prefix}{self.kind.field}") if self.kind else ""


def fields_of(value: Any, path: str = "", prefix: str = "") -> Iterator[Field]:
    """The fields of a dataclass and of the sections in it, with the values of ``value`` as defaults.

    Args:
        value: an instance of the dataclass.
        path: its own path, empty or with a dot at the end.
        prefix: the start of its flags, empty or with a dot at the end.
    """
    config_type: Any = type(value)
    hints, sentences = typing.get_type_hints(config_type, include_extras=True), _sentences(config_type)
    about = (inspect.getdoc(config_type) or "").split("\n\n")[0]
    sections = {section.path: section for section in sections_of(value, path, prefix)}
    kind = components.kind_of(config_type)
    for item in dataclasses.fields(value):
        hint, place = hints[item.name], f"{path}{item.name}"
        if section := sections.get(f"{place}."):
            yield from fields_of(section.value, section.path, section.prefix)
        elif not _may_be_section(hint):
            choices = components.names(kind.package) if kind and kind.field == item.name else _choices(hint)
            default, flag = getattr(value, item.name), flag_of(f"{prefix}{item.name}")
            yield Field(place, flag, hint, default, sentences.get(item.name, ""), about, choices)


def sections_of(value: Any, path: str = "", prefix: str = "") -> Iterator[Section]:
    """The sections directly in a dataclass. A section that is None is left out.

    A section whose hint is annotated has no name in its flags (``--num-workers``).
    """
    hints = typing.get_type_hints(type(value), include_extras=True)
    for item in dataclasses.fields(value):
        inner = getattr(value, item.name)
        if dataclasses.is_dataclass(inner):
            unnamed = typing.get_origin(hints[item.name]) is Annotated
            inner_prefix = prefix if unnamed else f"{flag_of(prefix + item.name)}."
            yield Section(f"{path}{item.name}.", inner_prefix, inner, components.kind_of(type(inner)))


def shown(default: object) -> str:
    """A default as the user would type it, or in parentheses where there is nothing to type."""
    if isinstance(default, bool):
        return "(on)" if default else "(off)"
    if default is None or default == ():
        return "(none)"
    if default in ("", ("",)):
        return "(needed)"
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def flag_of(name: str) -> str:
    """A field's name as a flag spells it, without the leading dashes.

    >>> flag_of("train.batch_pairs")
    'train.batch-pairs'
    """
    return name.replace("_", "-")


def negated(flag: str) -> str:
    """The flag that turns a field off.

    >>> negated("teacher.cache")
    'teacher.no-cache'
    """
    section, dot, name = flag.rpartition(".")
    return f"{section}{dot}no-{name}"


def given_values(words: list[str]) -> Mapping[str, str]:
    """The first value of each flag on a command line; empty for a flag without a value. The last of equal flags counts.

    >>> given_values(["--index.search", "faiss", "--runs_dir=x", "--json"])
    {'index.search': 'faiss', 'runs-dir': 'x', 'json': ''}
    """
    found = {}
    for word, following in pairwise([*words, "--"]):
        if word.startswith("--"):
            flag, equals, value = word.removeprefix("--").partition("=")
            found[flag_of(flag)] = value if equals else "" if following.startswith("--") else following
    return found


def group_of(path: str) -> str:
    """The path of the section that holds the field at ``path``."""
    return path.rpartition(".")[0]


def _choices(hint: object) -> tuple[str, ...]:
    return typing.get_args(hint) if typing.get_origin(hint) is Literal else ()


def _may_be_section(hint: object) -> bool:
    return any(dataclasses.is_dataclass(part) for part in (hint, *typing.get_args(hint)))


@cache
def _sentences(kind: type) -> dict[str, str]:
    """The string below each field of a dataclass and of its bases, which Python itself does not keep."""
    if not dataclasses.is_dataclass(kind):
        return {}
    found = {name: text for base in reversed(kind.__bases__) for name, text in _sentences(base).items()}
    declaration = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0]
    for statement, below in pairwise(declaration.body if isinstance(declaration, ast.ClassDef) else ()):
        match statement, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.split())
    return found
