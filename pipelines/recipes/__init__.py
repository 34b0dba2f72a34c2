"""Recipes by name: each is a function that returns one complete, frozen configuration."""

import difflib
from collections.abc import Callable

from optical.errors import UserError
from optical.recipe import Recipe
from pipelines.recipes.demo import demo
from pipelines.recipes.swahili import swahili

RECIPES: dict[str, Callable[[], Recipe]] = {"demo": demo, "swahili": swahili}


def recipe(name: str) -> Recipe:
    """The recipe called ``name``.

    Raises:
        UserError: there is none.
    """
    if name not in RECIPES:
        near = difflib.get_close_matches(name, RECIPES, n=1)
        advice = f"did you mean {near[0]}?" if near else f"choose one of: {', '.join(RECIPES)}"
        raise UserError("recipe", f"there is no recipe {name!r}", advice)
    return RECIPES[name]()
