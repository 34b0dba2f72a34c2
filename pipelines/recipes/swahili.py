"""Real Swahili: news and questions, a multilingual encoder that teaches itself, AfriQA questions."""

from dataclasses import replace

from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import ot
from optical.recipe import Recipe
from pipelines.recipes.parts import (
    extended_student,
    multilingual_teacher,
    multilingual_training,
    question_mixture,
    swahili_pairs,
)


def swahili() -> Recipe:
    """Global Voices news and AfriQA questions, multilingual-e5-small on both sides, AfriQA Swahili test questions.

    Command: ``make swahili``, or ``python -m pipelines run swahili``. Two cores, about an hour. The README has the
    table.
    """
    return Recipe(
        name="swahili",
        bitext=swahili_pairs(),
        teacher=multilingual_teacher(),
        student=extended_student(),
        objective=ot.Config(epsilon=0.1, epsilon_unit="mean_cost"),
        train=replace(multilingual_training(), mixture=question_mixture()),
        evaluation=CrossLingual(
            collection="afriqa-swa", pretrained=("late:multilingual-e5-small", "dense:multilingual-e5-small")
        ),
    )
