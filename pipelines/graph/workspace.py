"""The workspace of a run: fingerprint and path of every artefact of its recipe, and the order of making.

Every artefact is named by the fingerprint of what makes it, so runs share what they have in common: trials that differ
in epsilon share bitext, teacher, tokens and embeddings, and only train anew.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import cache, cached_property
from pathlib import Path
from typing import Protocol

from optical import artefacts
from optical.artefacts import Fingerprint
from optical.data.bitext.sources import parse_source, understood
from optical.data.collections.held_out import Compared
from optical.recipe import Recipe, TeacherTraining, decisive
from pipelines.environment import SHARED, Settings
from pipelines.graph.node import Node


class Workspace:
    """Fingerprints and paths of a recipe's artefacts; nothing is read or written before it is needed.

    The first fingerprint that depends on data whose hash the registry does not hold fetches them.
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe = replace(recipe, bitext=understood(recipe.bitext))
        self.settings = settings
        self.shared = settings.runs_dir / SHARED
        self.decisive = decisive(self.recipe)
        self.source = cache(parse_source)
        """What a bitext source means: a registered data set, or local files, which are hashed once."""
        self.compared: dict[bool, Compared] = {}
        """The test collections that sentence pairs (False) and question-passage pairs (True) are compared with, as far
        as they were looked for (``pipelines.graph.compared``): once, so that what is made agrees with its name."""

    @property
    def teacher_training(self) -> TeacherTraining:
        """The training of the teacher, for those artefacts that only a run with one has."""
        if self.recipe.teacher.trained is None:
            raise ValueError(f"the teacher of {self.recipe.name} is not trained by the run")
        return self.recipe.teacher.trained

    @cached_property
    def run_dir(self) -> Path:
        """This run's own folder."""
        return self.settings.runs_dir / (self.settings.run_name or f"{self.recipe.name}-{self.fingerprint[:12]}")

    @property
    def fingerprint(self) -> Fingerprint:
        """Identity of the run: everything that decides a number in its report, data and weights by their hashes."""
        from pipelines.graph.runs import RUNS  # The last node of the graph, whose module imports this one.

        return self.fingerprint_of(RUNS)

    def has(self, node: Node) -> bool:
        """Whether a run of this recipe has such an artefact."""
        return node.for_recipe(self.recipe) is not None

    @cache  # noqa: B019 - a workspace lives as long as its command
    def folder(self, node: Node) -> Path:
        """The folder in which an artefact is made."""
        own = node.for_recipe(self.recipe) or node
        return own.folder(self) if own.folder else self.shared / f"{own.kind}-{self.fingerprint_of(own)[:12]}"

    def path(self, node: Node) -> Path:
        """Where an artefact is, or will be."""
        return self.folder(node) / (node.for_recipe(self.recipe) or node).inner

    def info(self, node: Node) -> dict:
        """The facts in the manifest of an artefact that is made; its files are not read."""
        return artefacts.read(self.path(node), node.format or node.kind, verify=False).info

    @cache  # noqa: B019 - see ``folder``
    def fingerprint_of(self, node: Node) -> Fingerprint:
        """Identity of an artefact: its kind, the version of its maker, and everything it is made from."""
        own = node.for_recipe(self.recipe) or node
        parts = (self.fingerprint_of(part) if isinstance(part, Node) else part for part in self._parts(own))
        return Fingerprint.of(own.kind, own.version, *parts)

    def order(self, *wanted: Node) -> Iterator[Node]:
        """The wanted nodes and everything they depend on, each once, parents first.

        A node is asked for its parents when all nodes before it have been taken: they may depend on what is made.
        """
        seen: set[Node] = set()

        def visit(node: Node) -> Iterator[Node]:
            own = node.for_recipe(self.recipe)
            if own is None or own in seen:
                return
            seen.add(own)
            for parent in own.after:
                yield from visit(parent)
            for parent in self.parents(own):
                yield from visit(parent)
            yield own

        for node in wanted:
            yield from visit(node)

    def parents(self, node: Node) -> list[Node]:
        """The nodes that decide the content of an artefact."""
        return [part for part in self._parts(node) if isinstance(part, Node)]

    @cache  # noqa: B019 - see ``folder``
    def _parts(self, node: Node) -> list[object]:
        """What an artefact is made from, without the nodes that the recipe does not need; input is hashed once."""
        parts = (part.for_recipe(self.recipe) if isinstance(part, Node) else part for part in node.made_from(self))
        return [part for part in parts if part is not None]


class Context(Protocol):
    """The part of a session (``pipelines.session.Session``) that a node needs to make its artefact."""

    @property
    def workspace(self) -> Workspace:
        """Recipe, paths and fingerprints."""

    def work(self, verb: str) -> AbstractContextManager[None]:
        """Connect to Ray, record the time, and raise this project's own errors."""

    def follow(self, journal: Path) -> AbstractContextManager[object]:
        """Show a training journal as progress."""
