"""Real Swahili: news bitext, a pretrained English teacher, AfriQA questions."""

from optical.data.bitext.config import BitextConfig
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import ot
from optical.recipe import Recipe
from pipelines.recipes.parts import extended_student, minilm_teacher, sentence_training


def swahili() -> Recipe:
    """Global Voices news pairs, all-MiniLM-L6-v2, AfriQA Swahili test questions over all English gold passages there.

    Command: ``make swahili``, or ``python -m pipelines run swahili``. Two cores, about 20 minutes, most of them
    distillation. The README has the table.
    """
    return Recipe(
        name="swahili",
        bitext=BitextConfig(datasets=("globalvoices-swa",), source="swa", target="eng", dev_pairs=256),
        teacher=minilm_teacher(),
        student=extended_student(),
        objective=ot.Config(epsilon=0.1),
        train=sentence_training(),
        evaluation=CrossLingual(collection="afriqa-swa"),
    )
