"""Recipes with some fields changed."""

from dataclasses import replace

from optical.recipe import Recipe


def changed(base: Recipe, **fields) -> Recipe:
    """A recipe with some fields, named ``section__field`` or ``section__inner__field``, of other values."""
    for path, value in fields.items():
        *sections, name = path.split("__")
        parents = [base]
        for section in sections:
            parents.append(getattr(parents[-1], section))
        for parent, key in zip(reversed(parents), [name, *reversed(sections)], strict=True):
            value = replace(parent, **{key: value})
        base = value
    return base
