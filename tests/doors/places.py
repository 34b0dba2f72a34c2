"""A workspace whose artefacts are at given places."""

from pathlib import Path

from optical.recipe import Recipe
from pipelines.environment import Settings
from pipelines.graph.node import Node
from pipelines.graph.workspace import Workspace


class Placed(Workspace):
    """Artefacts that a test has made itself, instead of those that a run would make."""

    def __init__(self, recipe: Recipe, settings: Settings, places: dict[Node, Path], fingerprints: dict[Node, str]):
        super().__init__(recipe, settings)
        self.places, self.fingerprints = places, fingerprints

    def path(self, node: Node) -> Path:
        return self.places[node] if node in self.places else super().path(node)

    def fingerprint_of(self, node: Node) -> str:
        return self.fingerprints[node] if node in self.fingerprints else super().fingerprint_of(node)
