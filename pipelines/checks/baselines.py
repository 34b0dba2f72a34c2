"""What can be wrong with the baselines of a recipe, before anything is made."""

from collections.abc import Iterator

from optical.data.bitext.sources import source_language
from optical.data.registry.languages import language
from optical.errors import UserError
from optical.evaluation.baselines import FIELD, LEXICON, Bm25, Fusion, Translation, Translator
from optical.evaluation.systems import Reading, System
from optical.recipe import Recipe
from pipelines.graph.runs import encoders, systems
from pipelines.graph.workspace import Workspace

_WITHOUT_SPACES = frozenset({"Hans", "Hant", "Hani", "Jpan", "Thai", "Laoo", "Khmr", "Mymr", "Tibt"})
"""Scripts whose words stand side by side without spaces."""


def translators(recipe: Recipe) -> list[Translator]:
    """The translation models of a recipe, each once."""
    found = (system.made_by for system in recipe.evaluation.compared)
    return list(dict.fromkeys(made_by.by for made_by in found if isinstance(made_by, Translation) and made_by.by))


def baseline_faults(recipe: Recipe) -> Iterator[UserError]:
    """Baselines that this recipe cannot have, whatever its data are."""
    yield from repeated(FIELD, recipe.evaluation.baselines)
    compared = {system.name: system for system in recipe.evaluation.compared}
    for system in compared.values():
        if isinstance(system.made_by, Fusion):
            yield from _absent(recipe, system, [compared[name] for name in system.made_by.systems])
    read = compared[recipe.evaluation.baseline].made_by
    if isinstance(read, Reading) and read.encoder not in encoders(recipe):
        what = f"is {recipe.evaluation.baseline}, and this student has no such encoder"
        yield UserError("evaluation.baseline", what, "choose another baseline")
    looked_up = [system.name for system in compared.values() if _reads_lexicon(system)]
    if looked_up:
        yield from _unspaced(recipe, looked_up[0])


def repeated(field: str, specs: tuple[str, ...]) -> Iterator[UserError]:
    """Specs that a field has twice."""
    for place, spec in enumerate(specs):
        if spec in specs[:place]:
            yield UserError(field, f"names {spec} twice", "name it once")


def check_systems(workspace: Workspace) -> None:
    """Refuse baselines that the topics of the collection do not allow.

    Raises:
        DataError: topics lack the English that a baseline reads.
    """
    if workspace.recipe.evaluation.baselines:
        systems(workspace)


def _absent(recipe: Recipe, system: System, fused: list[System]) -> Iterator[UserError]:
    for part in fused:
        if isinstance(part.made_by, Reading) and part.made_by.encoder not in encoders(recipe):
            what = f"has {system.name}, and a run of this recipe has no {part.name}"
            yield UserError(FIELD, what, "fuse other systems")


def _reads_lexicon(system: System) -> bool:
    made_by = system.made_by
    return (isinstance(made_by, Bm25) and made_by.reads == LEXICON) or made_by == Translation(None)


def _unspaced(recipe: Recipe, name: str) -> Iterator[UserError]:
    config = recipe.bitext
    for code in dict.fromkeys(source_language(spec, config.source) for spec in config.datasets):
        if (found := language(code)).script in _WITHOUT_SPACES:
            what = f"has {name}, and {found.name} writes no spaces between words, so no lexicon of words is learned"
            yield UserError(FIELD, what, "leave it out, or take translate:<weights>")
