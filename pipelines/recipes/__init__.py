"""Recipes by name. A recipe is one file here: ``<name>.py`` with a function ``<name>`` that returns it.

The other files are what recipes share (``parts``), the recipes of registered language pairs (``language_pair``), and
recipes from outside this package (``from_file``).
"""

from collections.abc import Callable
from importlib import import_module

from optical import components
from optical.errors import UserError, suggest
from optical.recipe import Recipe
from pipelines.recipes.from_file import recipe_from_file
from pipelines.recipes.language_pair import EXAMPLE, is_pair, pair_recipe


def _registered() -> dict[str, Callable[[], Recipe]]:
    modules = {name: import_module(f"{__name__}.{name}") for name in components.names(__name__)}
    return {name: getattr(module, name) for name, module in modules.items() if hasattr(module, name)}


RECIPES = _registered()


def recipe(name: str) -> Recipe:
    """The recipe called ``name``: a registered one, or that of a language pair such as ``som-eng``.

    Raises:
        UserError: there is none.
    """
    if name in RECIPES:
        return RECIPES[name]()
    if is_pair(name):
        return pair_recipe(name)
    choose = f"choose one of: {', '.join(RECIPES)}, {EXAMPLE} (or another language); or give your own with --recipe"
    raise UserError("recipe", f"there is no recipe {name!r}", suggest(name, RECIPES, choose))


def recipe_of(name: str | None, file: str | None) -> Recipe:
    """The recipe of a command line: by its ``name``, or from a ``file`` (``--recipe``) where that is given.

    Raises:
        UserError: there is no such recipe.
    """
    return recipe_from_file(file) if file else recipe(name or "")


def known(name: str) -> Recipe | None:
    """The recipe called ``name``, or None where no recipe has that name."""
    try:
        return recipe(name)
    except UserError:
        return None
