"""Checks of the test collections that a recipe exempts from the comparison with its pairs."""

from collections.abc import Iterator

from optical.data.bitext.sources import source_language, understood
from optical.data.collections.held_out import comparable
from optical.errors import UserError, suggest
from optical.recipe import Recipe

FIELD = "bitext.cleaning.exempt_collections"
_MOST = 8


def exempted_faults(recipe: Recipe) -> Iterator[UserError]:
    """Names that cannot be exempted: the collection that the run is tested on, and those that are not compared."""
    own, config = recipe.evaluation.collection, recipe.bitext
    if not (config.cleaning.drop_test_leaks and config.cleaning.exempt_collections):
        return
    config = understood(config)
    codes = {*(source_language(spec, config.source) for spec in config.datasets), config.target}
    names = [entry.name for entry in comparable(own, codes)]
    shown = names if len(names) <= _MOST else [*names[:_MOST], "..."]
    for name in config.cleaning.exempt_collections:
        if name == own:
            what = f"names {name}, on which this run is tested: a student that saw its texts would be measured too well"
            yield UserError(FIELD, what, "leave it out, or set another evaluation.collection")
        elif name not in names:
            what = f"names {name}, which is no test collection that these pairs are compared with"
            advice = f"choose from {', '.join(shown)}" if names else "leave it out; there is none but the run's own"
            yield UserError(FIELD, what, suggest(name, names, advice, most=3))
