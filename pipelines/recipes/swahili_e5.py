"""Real Swahili with a multilingual encoder: multilingual-e5-small teaches itself, from news bitext."""

from optical.data.batches.config import MixtureConfig
from optical.data.bitext.config import BitextConfig
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import score_kl
from optical.recipe import Recipe, StudentConfig, TeacherConfig
from optical.train.config import TrainConfig


def swahili_e5() -> Recipe:
    """Global Voices news pairs, multilingual-e5-small on both sides, AfriQA Swahili test questions."""
    return Recipe(
        name="swahili_e5",
        bitext=BitextConfig(datasets=("globalvoices-swa",), source="swa", target="eng", dev_pairs=256),
        teacher=TeacherConfig(
            weights="multilingual-e5-small",
            query_length=64,
            document_length=128,
            query_tokens="inner",
            centre="dev",
        ),
        student=StudentConfig(word_embeddings="freeze"),
        objective=score_kl.Config(),
        train=TrainConfig(
            batch_pairs=32,
            source_length=40,
            target_length=40,
            learning_rate=5e-5,
            checkpoint_steps=100,
            dev_steps=50,
            mixture=MixtureConfig(),
        ),
        evaluation=CrossLingual(
            collection="afriqa-swa", pretrained=("late:multilingual-e5-small", "dense:multilingual-e5-small")
        ),
    )
