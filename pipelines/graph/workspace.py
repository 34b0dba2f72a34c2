"""The workspace of a run: fingerprint and path of every artefact of its recipe, and the order of making.

Every artefact is named by the fingerprint of what makes it, so runs share what they have in common: trials that differ
in epsilon share bitext, teacher, tokens and embeddings, and only train anew.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from optical import artefacts
from optical.artefacts import Fingerprint
from optical.data.bitext.sources import parse_source, understood
from optical.data.fetch.resolve import Resolved
from optical.data.registry.entry import DataSet
from optical.recipe import Recipe, decisive
from pipelines.graph.node import Node, Step
from pipelines.graph.runs import RUNS
from pipelines.settings import SHARED, Settings

T = TypeVar("T")


class Workspace:
    """Fingerprints and paths of a recipe's artefacts; nothing is read or written before it is needed.

    The first fingerprint that depends on data whose hash the registry does not hold fetches them.
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe = replace(recipe, bitext=understood(recipe.bitext))
        self.settings = settings
        self.shared = settings.runs_dir / SHARED
        self.decisive = decisive(self.recipe)
        self._found: dict[tuple[str, object], Any] = {}

    @cached_property
    def run_dir(self) -> Path:
        """This run's own folder."""
        return self.settings.runs_dir / (self.settings.run_name or f"{self.recipe.name}-{self.fingerprint[:12]}")

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the run: everything that decides a number in its report, data and weights by their hashes."""
        return self.fingerprint_of(RUNS)

    def has(self, node: Node) -> bool:
        """Whether a run of this recipe has such an artefact."""
        return node.for_recipe(self.recipe) is not None

    def path(self, node: Node) -> Path:
        """Where an artefact is, or will be."""
        own = self._own(node)
        return self._once("path", own, lambda: own.path(self))

    def folder(self, node: Node) -> Path:
        """The folder in which an artefact is made."""
        return self._own(node).folder(self)

    def info(self, node: Node) -> dict:
        """The facts in the manifest of an artefact that is made; its files are not read."""
        return artefacts.read(self.path(node), node.format, verify=False).info

    def fingerprint_of(self, node: Node) -> str:
        """Identity of an artefact."""
        own = self._own(node)
        return self._once("fingerprint", own, lambda: own.fingerprint(self))

    def parts(self, node: Node) -> list[object]:
        """What an artefact is made from, without the nodes that the recipe does not need; input is hashed once."""

        def needed() -> list[object]:
            own = (part.for_recipe(self.recipe) if isinstance(part, Node) else part for part in node.made_from(self))
            return [part for part in own if part is not None]

        return self._once("parts", node, needed)

    def order(self, *wanted: Step) -> list[Step]:
        """The wanted steps and everything they depend on, each once, parents first."""
        ordered: dict[Step, None] = {}

        def visit(step: Step) -> None:
            own = step.for_recipe(self.recipe)
            if own is None or own in ordered:
                return
            for parent in own.parents(self):
                visit(parent)
            ordered[own] = None

        for step in wanted:
            visit(step)
        return list(ordered)

    def source(self, spec: str) -> DataSet | Resolved:
        """A bitext source: a registered data set, or local files; their hashes are computed once."""
        return self._once("source", spec, lambda: parse_source(spec))

    def _once(self, what: str, key: object, find: Callable[[], T]) -> T:
        """The result of ``find``, computed at the first call: it may read and hash files."""
        if (what, key) not in self._found:
            self._found[what, key] = find()
        return self._found[what, key]

    def _own(self, node: Node) -> Node:
        return node.for_recipe(self.recipe) or node
