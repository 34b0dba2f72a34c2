"""Components: kinds of one thing, side by side in a package, one file each. The file's name is the component's name.

Objectives, index kinds and evaluation protocols are found this way: to add one is to add its file. Each file holds a
class ``Config`` that describes itself and builds what it configures.
"""

import difflib
import pkgutil
from importlib import import_module

from optical.errors import UserError

_BASE = "base"


def names(package: str) -> tuple[str, ...]:
    """The components of a package, without importing any of them.

    >>> "ot" in names("optical.objectives")
    True
    """
    paths = import_module(package).__path__
    return tuple(sorted(found.name for found in pkgutil.iter_modules(paths) if found.name != _BASE))


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
        near = difflib.get_close_matches(name, known, n=1)
        advice = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(known)}"
        raise UserError(field, f"is {name!r}", advice)
    return import_module(f"{package}.{name}").Config
