"""Recipes with some fields changed, and one that needs every kind of artefact."""

from dataclasses import fields, replace
from functools import cache

from optical.components import config_class
from optical.index.kinds.base import IndexConfig
from optical.recipe import Recipe
from pipelines.environment import Settings
from pipelines.graph.model_folder import MODEL_FOLDER
from pipelines.graph.node import Node
from pipelines.graph.runs import RUNS
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe


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


EVERYTHING = changed(
    recipe("demo"),
    student__vocabulary=500,
    teacher__cache=True,
    teacher__scratch__negatives=1,
    index__search="faiss",
)
"""A recipe that needs every kind of artefact."""


@cache
def nodes() -> tuple[Node, ...]:
    """The node of every kind of artefact, parents first."""
    found = Workspace(EVERYTHING, Settings(mirror=None)).order(RUNS)
    return (*(node for node in found if node.version is not None), MODEL_FOLDER)
