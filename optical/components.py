"""Components: kinds of one thing, side by side in a package, one file each. The file's name is the component's name.

Objectives, index kinds and evaluation protocols are found this way: a new one needs only its file. Each file holds a
class ``Config`` that describes itself and builds what it configures. ``base`` and files whose names begin with an
underscore are shared by components, and are none.
"""

import dataclasses
import pkgutil
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from optical.errors import UserError, suggest

CODE = "file_sha256"
"""Attribute of a class from a user's recipe file. It travels with the class to processes that lack the file."""

_BASE = "base"


@dataclass(frozen=True)
class Kind:
    """A kind of component: the package that holds its files, and the field of a ``Config`` that names the file."""

    package: str
    field: str


KINDS = (
    Kind("optical.objectives", "name"),
    Kind("optical.index.kinds", "search"),
    Kind("optical.evaluation.protocols", "protocol"),
)


def kind_of(config_type: type) -> Kind | None:
    """The kind of component that a class configures; None for a class that configures no component."""
    packages = {base.__module__.rpartition(".")[0] for base in config_type.__mro__}
    return next((kind for kind in KINDS if kind.package in packages), None)


def code_of(config: Any) -> dict[str, str | int]:
    """What fingerprints hold of a component besides its fields, which do not say what its code does.

    This is ``version``, once it is raised above 1, and ``code``, the hash of the user's file that defines the class.
    """
    code, version = getattr(type(config), CODE, None), config.version
    return ({"code": code} if code else {}) | ({"version": version} if version != 1 else {})


def names(package: str) -> tuple[str, ...]:
    """The components of a package, without importing any of them.

    >>> "ot" in names("optical.objectives")
    True
    """
    paths = import_module(package).__path__
    found = (module.name for module in pkgutil.iter_modules(paths))
    return tuple(sorted(name for name in found if name != _BASE and not name.startswith("_")))


def config_class(package: str, name: str, field: str) -> type:
    """The ``Config`` of the component called ``name``.

    Args:
        package: where the components are, such as ``optical.objectives``.
        name: of the component.
        field: the recipe's field that names it, for the message.

    Raises:
        UserError: there is no such component.
    """
    known = names(package)
    if name not in known:
        raise UserError(field, f"is {name!r}", suggest(name, known, f"choose one of: {', '.join(known)}"))
    return import_module(f"{package}.{name}").Config


def replaced(config: Any, kind: Kind, name: str, field: str) -> object:
    """The ``Config`` of another component in place of ``config``.

    Fields that both classes inherit keep the values that were set on ``config``; the others get their defaults.

    Args:
        config: of the present component.
        kind: of both components.
        name: of the new component; ``config`` itself is returned if that is the present one.
        field: the recipe's field that names the component, for the message.

    Raises:
        UserError: there is no such component.
    """
    if getattr(config, kind.field) == name:
        return config
    new = config_class(kind.package, name, field)
    inherited = {
        item.name
        for base in type(config).__mro__
        if base in new.__mro__ and dataclasses.is_dataclass(base)
        for item in dataclasses.fields(base)
    } - {kind.field}
    defaults = {item.name: item.default for item in dataclasses.fields(config)}
    now = {item: getattr(config, item) for item in inherited}
    return new(**{item: value for item, value in now.items() if value != defaults[item]})
