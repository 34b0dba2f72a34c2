"""Recipes with some fields changed, and one that needs every kind of artefact."""

from dataclasses import replace
from functools import cache

from optical.recipe import Recipe
from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.graph.node import Node
from pipelines.graph.runs import RUNS
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from pipelines.settings import Settings


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


EVERYTHING = changed(recipe("demo"), student__vocabulary=500, teacher__cache=True, index__search="faiss")
"""A recipe that needs every kind of artefact."""


@cache
def nodes() -> tuple[Node, ...]:
    """The node of every kind of artefact, parents first."""
    found = Workspace(EVERYTHING, Settings(mirror=None)).order(RUNS)
    return (*(node for node in found if node.version is not None), MODEL_FOLDER)
