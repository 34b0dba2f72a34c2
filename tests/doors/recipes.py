"""Recipes with some fields changed."""

from dataclasses import fields, replace

from optical.components import config_class
from optical.index.kinds.base import IndexConfig
from optical.recipe import Recipe


def changed(base: Recipe, **values) -> Recipe:
    """A recipe with some fields, named ``section__field`` or ``section__inner__field``, of other values.

    ``index__search`` takes that kind of index, with the fields that all kinds share.
    """
    for path, value in values.items():
        *sections, name = path.split("__")
        parents = [base]
        for section in sections:
            parents.append(getattr(parents[-1], section))
        if path == "index__search":
            kind, shared = config_class("optical.index.kinds", value, "index.search"), fields(IndexConfig)
            same = {field.name: getattr(base.index, field.name) for field in shared if field.name != "search"}
            parents, sections, name, value = [base], [], "index", kind(**same)
        for parent, key in zip(reversed(parents), [name, *reversed(sections)], strict=True):
            value = replace(parent, **{key: value})
        base = value
    return base
