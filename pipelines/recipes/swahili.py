"""Real Swahili: news and questions, a multilingual encoder that teaches itself, AfriQA questions."""

from dataclasses import replace

from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import ot
from optical.recipe import Recipe, TeacherConfig
from pipelines.recipes.parts import extended_student, question_mixture, sentence_training, swahili_pairs


def swahili() -> Recipe:
    """Global Voices news and AfriQA questions, multilingual-e5-small on both sides, AfriQA Swahili test questions.

    Command: ``make swahili``, or ``python -m pipelines run swahili``. Two cores, about an hour. The README has the
    table.
    """
    return Recipe(
        name="swahili",
        bitext=swahili_pairs(),
        teacher=TeacherConfig(
            weights="multilingual-e5-small",
            query_length=64,
            document_length=128,
            query_tokens="inner",
            centre="dev",
        ),
        student=extended_student(),
        objective=ot.Config(epsilon=0.1, epsilon_unit="mean_cost"),
        train=replace(
            sentence_training(),
            batch_pairs=32,
            learning_rate=1e-4,
            embedding_rate=10.0,
            mixture=question_mixture(),
        ),
        evaluation=CrossLingual(
            collection="afriqa-swa", pretrained=("late:multilingual-e5-small", "dense:multilingual-e5-small")
        ),
    )
