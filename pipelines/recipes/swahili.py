"""Real Swahili: news bitext, a pretrained English teacher, AfriQA questions."""

from optical.data.bitext.config import BitextConfig
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.index.config import IndexConfig
from optical.model.config import StudentConfig
from optical.objectives import ot
from optical.recipe import Recipe, TeacherConfig
from optical.train.config import TrainConfig


def swahili() -> Recipe:
    """Global Voices news pairs, all-MiniLM-L6-v2, AfriQA Swahili test questions over all English gold passages there.

    Command: ``make swahili``, or ``python -m pipelines run swahili``. Two cores, about 20 minutes, most of them
    distillation. The README has the table.
    """
    return Recipe(
        name="swahili",
        bitext=BitextConfig(datasets=("globalvoices-swa",), source="swa", target="eng", dev_pairs=256),
        teacher=TeacherConfig(weights="all-minilm-l6-v2", query_length=64, document_length=128),
        student=StudentConfig(vocabulary=8000),
        objective=ot.Config(epsilon=0.1),
        train=TrainConfig(epochs=1, source_length=40, target_length=40, checkpoint_steps=100),
        index=IndexConfig(factory="IVF256,SQ8"),
        evaluation=CrossLingual(collection="afriqa-swa"),
    )
