"""What the pairs of a run are compared with: its test collection, and the registered ones that are available."""

from dataclasses import replace

from optical.data.bitext.config import BitextConfig
from optical.data.bitext.sources import source_language
from optical.data.collections.held_out import Compared, compared_collections
from pipelines.graph.collection import COLLECTION
from pipelines.graph.workspace import Workspace


def pairs_config(workspace: Workspace, questions: bool) -> BitextConfig:
    """The section ``bitext`` as it holds for the sentence pairs, or for the question-passage pairs of the teacher."""
    config = workspace.recipe.bitext
    if questions:
        return replace(config, datasets=workspace.teacher_training.pairs, source="eng", max_pairs=None)
    return config


def sources(config: BitextConfig) -> list[str]:
    """The query language of each data set."""
    return [source_language(spec, config.source) for spec in config.datasets]


def compared_with(workspace: Workspace, questions: bool) -> Compared | None:
    """The test collections that pairs are compared with; None where the recipe compares with none."""
    config, settings = pairs_config(workspace, questions), workspace.settings
    if not config.cleaning.drop_test_leaks:
        return None
    if questions not in workspace.compared:
        own, exempt = workspace.recipe.evaluation.collection, config.cleaning.exempt_collections
        languages = {*sources(config), config.target}
        workspace.compared[questions] = compared_collections(own, languages, exempt, settings.cache, settings.mirror)
    return workspace.compared[questions]


def comparison(workspace: Workspace, questions: bool) -> list[object]:
    """What decides which pairs leak: the run's collection, and the others by name and by the hashes of their files."""
    compared, settings = compared_with(workspace, questions), workspace.settings
    return [COLLECTION, compared.hashes(settings.cache, settings.mirror)] if compared else []


def compared_names(workspace: Workspace) -> list[str]:
    """Every test collection that any pairs of the run are compared with, besides the run's own."""
    trained = workspace.recipe.teacher.trained is not None
    found = [compared_with(workspace, questions) for questions in ((False, True) if trained else (False,))]
    return sorted({name for compared in found if compared for name in compared.names[1:]})
