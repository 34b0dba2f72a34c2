"""Recipes from outside this package: a function in a Python file, or the ``run.json`` of an earlier run.

A Python file is imported only because the user has typed its name after ``--recipe``. A ``run.json`` is data: its
values are checked against the fields of the recipe, and nothing in it is executed.
"""

import dataclasses
import json
import sys
import traceback
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, Literal, TypeVar, Union

from optical import cluster, components
from optical.artefacts import sha256_file
from optical.errors import DataError, OpticalError, UserError, require, suggest
from optical.recipe import Recipe, components_of

FORMS = "give my_recipes.py:my_recipe, or the run.json of an earlier run"
_OTHER_VERSION = "it is a run of another version; write the recipe anew"
_Config = TypeVar("_Config")


def recipe_from_file(spec: str) -> Recipe:
    """The recipe that ``spec`` names.

    Args:
        spec: ``path/to/file.py:function``, a function without arguments that returns a ``Recipe``; or a ``run.json``.

    Raises:
        UserError: the file has no such function, or the function returns something else.
        DataError: no such file; or it is no recipe of this version, which is said of the first wrong key.
    """
    if spec.endswith(".json"):
        return _from_run(Path(spec))
    path, _, name = spec.rpartition(":")
    require(path.endswith(".py"), "--recipe", f"is {spec!r}, which names no recipe", FORMS)
    module = _module(Path(path).absolute())
    functions = {key: value for key, value in vars(module).items() if isinstance(value, types.FunctionType)}
    if name not in functions:
        own = [key for key, value in functions.items() if value.__module__ == module.__name__ and key[0] != "_"]
        advice = suggest(name, own, f"its functions are {', '.join(own) or 'none'}")
        raise UserError("--recipe", f"{path} has no function {name!r}", advice)
    with _users_code(module.__file__):
        made = getattr(module, name)()
    require(isinstance(made, Recipe), "--recipe", f"{spec} returns {type(made).__name__}, no Recipe", FORMS)
    _refuse_borrowed_names(made, spec)
    return made


def _refuse_borrowed_names(recipe: Recipe, spec: str) -> None:
    """Refuse a class that calls itself by the name of another component: a run's record would mean the other one."""
    for section, config in components_of(recipe).items():
        kind, made = components.kind_of(type(config)), type(config).__name__
        name = getattr(config, kind.field) if kind else ""
        if kind and name in components.names(kind.package):
            other = type(config) is not components.config_class(kind.package, name, f"{section}.{kind.field}")
            what = f"{spec} has a class {made} whose {kind.field} is {name!r}, the name of another {section}"
            require(not other, "--recipe", what, f'give it a name of its own: {kind.field}: str = "{made.lower()}"')


@contextmanager
def _users_code(path: str | None) -> Iterator[None]:
    """Whatever the code of a user's file raises is reported with the file and the line, not as a bug of ours."""
    try:
        yield
    except OpticalError:
        raise
    except Exception as error:
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
        line = error.lineno if isinstance(error, SyntaxError) and error.filename == path else (lines or [None])[-1]
        place = f"{path}, line {line}" if line else f"{path}"
        what = " ".join(f"{type(error).__name__}: {error}".split())
        raise UserError(place, what, "correct that file; --verbose shows the traceback") from error


@cache
def _module(path: Path) -> types.ModuleType:
    """The module in a file, imported once under a name that no other module has."""
    if not path.is_file():
        raise DataError(path, "no such file", FORMS)
    spec = spec_from_file_location(f"recipe_file_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise DataError(path, "cannot be imported", FORMS)
    module = module_from_spec(spec)
    # Dataclasses look their module up by its name.
    sys.modules[spec.name] = module
    with _users_code(str(path)):
        spec.loader.exec_module(module)
    code = sha256_file(path)
    for value in vars(module).values():
        if isinstance(value, type) and value.__module__ == spec.name:
            setattr(value, components.CODE, code)
    cluster.PICKLED_BY_VALUE.append(module)
    return module


def _from_run(path: Path) -> Recipe:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataError(path, "no such file", FORMS) from None
    except ValueError as error:
        raise DataError(path, f"is no JSON ({error})", FORMS) from None
    if not isinstance(content, dict) or not isinstance(content.get("recipe"), dict):
        raise DataError(path, "has no recipe", FORMS)
    return _read(Recipe, content["recipe"], "", path)


def _read(kind: type[_Config], values: dict, where: str, path: Path) -> _Config:
    """A dataclass from the values of its fields; ``where`` is its own place in the recipe, with a dot at the end."""
    chosen: Any = kind
    if component := components.kind_of(kind):
        field = f"{where}{component.field}"
        if (name := values.get(component.field)) is None:
            raise DataError(path, f"lacks {field}", _OTHER_VERSION)
        if name not in (known := components.names(component.package)):
            advice = "a component of a recipe file is repeated from there: --recipe my_recipes.py:my_recipe"
            raise DataError(path, f"has {field} = {name!r}, and there are {', '.join(known)}", advice)
        chosen = components.config_class(component.package, name, field)
    fields = [item.name for item in dataclasses.fields(chosen)]
    wrong = [f"has {where}{name}, which no recipe has" for name in values if name not in fields]
    wrong += [f"lacks {where}{name}" for name in fields if name not in values]
    if wrong:
        raise DataError(path, wrong[0], _OTHER_VERSION)
    hints = typing.get_type_hints(chosen)
    return chosen(**{name: _value(hints[name], values[name], f"{where}{name}", path) for name in fields})


def _value(hint: Any, value: object, where: str, path: Path) -> object:
    """A value as its field's type wants it: a list as a tuple, a whole number as a float, a dict as a dataclass."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (Union, types.UnionType):
        return (
            None
            if value is None
            else _value(next(part for part in parts if part is not type(None)), value, where, path)
        )
    if origin is Literal and value in parts:
        return value
    if origin is tuple and isinstance(value, list):
        inner = parts[:1] * len(value) if parts[1:] == (Ellipsis,) else parts
        if len(inner) == len(value):
            return tuple(_value(part, each, where, path) for part, each in zip(inner, value, strict=True))
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return _read(typing.cast(type, hint), value, f"{where}.", path)
    if hint is float and type(value) in (int, float):
        return float(typing.cast(float, value))
    if hint in (str, int, bool) and type(value) is hint:
        return value
    raise DataError(path, f"has {where} = {value!r}", f"a value of type {hint} belongs there")
