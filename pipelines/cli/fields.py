"""The fields of a command: their flags, types, defaults and sentences, read from its dataclasses."""

import ast
import dataclasses
import inspect
import textwrap
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Annotated, Literal


@dataclass(frozen=True)
class Field:
    """One field: ``path`` is its place in the command (``recipe.train.epochs``), ``flag`` what the user types."""

    path: str
    flag: str
    hint: object
    default: object
    sentence: str
    section: str

    @property
    def group(self) -> str:
        """The path of the section it belongs to."""
        return self.path.rpartition(".")[0]

    @property
    def flags(self) -> tuple[str, ...]:
        """Every flag that sets it; one that is true or false has a ``--no-`` form too."""
        *path, last = self.flag.split(".")
        return (self.flag, ".".join([*path, f"no-{last}"])) if self.hint is bool else (self.flag,)

    @property
    def choices(self) -> tuple[str, ...]:
        """The words it may be, where it is one of a few."""
        return typing.get_args(self.hint) if typing.get_origin(self.hint) is Literal else ()


def fields_of(value: object, path: str = "", prefix: str = "") -> Iterator[Field]:
    """The fields of a dataclass, sections within it included, as they stand in ``value``.

    A section whose hint is annotated has no name in its flags (``--num-workers``); one that is None has no fields.
    """
    hints = typing.get_type_hints(type(value), include_extras=True)
    sentences = _sentences(type(value))
    for item in dataclasses.fields(value):
        hint, default = hints[item.name], getattr(value, item.name)
        unnamed = typing.get_origin(hint) is Annotated
        flag = f"{prefix}{item.name}".replace("_", "-")
        if dataclasses.is_dataclass(default):
            yield from fields_of(default, f"{path}{item.name}.", prefix if unnamed else f"{flag}.")
        elif not _is_section(hint):
            section = inspect.getdoc(type(value)).split("\n\n")[0]
            yield Field(f"{path}{item.name}", flag, hint, default, sentences.get(item.name, ""), section)


def shown(default: object) -> str:
    """A default as the user would type it, or in parentheses where there is nothing to type."""
    if isinstance(default, bool):
        return "(on)" if default else "(off)"
    if default is None or default == ():
        return "(none)"
    return " ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _is_section(hint: object) -> bool:
    return any(dataclasses.is_dataclass(part) for part in (hint, *typing.get_args(hint)))


@cache
def _sentences(kind: type) -> dict[str, str]:
    """The string below each field of a dataclass and of its bases, which Python itself does not keep."""
    if not dataclasses.is_dataclass(kind):
        return {}
    inherited = {name: text for base in reversed(kind.__bases__) for name, text in _sentences(base).items()}
    body = ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0].body
    return inherited | {
        field.target.id: " ".join(text.value.value.split())
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
