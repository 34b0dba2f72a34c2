"""Real Swahili with an English encoder: the pairs of ``swahili``, all-MiniLM-L6-v2 with Swahili word pieces."""

from dataclasses import replace

from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import divergence
from optical.recipe import Recipe
from pipelines.recipes.parts import (
    extended_student,
    minilm_teacher,
    question_mixture,
    sentence_training,
    swahili_pairs,
)


def swahili_minilm() -> Recipe:
    """Pairs and topics of swahili, all-MiniLM-L6-v2 on both sides.

    Command: ``python -m pipelines run swahili_minilm``. Two cores, about 20 minutes, most of them distillation.
    """
    return Recipe(
        name="swahili_minilm",
        bitext=swahili_pairs(),
        teacher=minilm_teacher(),
        student=extended_student(),
        objective=divergence.Config(),
        train=replace(sentence_training(), mixture=question_mixture()),
        evaluation=CrossLingual(collection="afriqa-swa"),
    )
