"""Recipes: complete, frozen configurations of a run.

A recipe is everything that decides a result, and nothing else: where it runs and how many workers it
gets is ``Resources``, which no fingerprint sees. Each section checks itself and says what to set instead.
"""

from optical.config.bitext import BitextConfig, CleaningConfig
from optical.config.decisive import decisive
from optical.config.models import SCRATCH_POSITIONS, ScratchConfig, StudentConfig, TeacherConfig
from optical.config.objective import ObjectiveConfig
from optical.config.recipe import Recipe, differences
from optical.config.resources import Resources
from optical.config.retrieval import EvaluationConfig, IndexConfig
from optical.config.train import MixtureConfig, TrainConfig

__all__ = [
    "SCRATCH_POSITIONS",
    "BitextConfig",
    "CleaningConfig",
    "EvaluationConfig",
    "IndexConfig",
    "MixtureConfig",
    "ObjectiveConfig",
    "Recipe",
    "Resources",
    "ScratchConfig",
    "StudentConfig",
    "TeacherConfig",
    "TrainConfig",
    "decisive",
    "differences",
]
