"""The set-up of the paper as far as it is known: an mBERT ColBERT teacher, trained by the run, then distilled."""

from optical.data.bitext.config import BitextConfig
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.objectives import ot
from optical.recipe import PretrainedTraining, Recipe, TeacherConfig
from optical.train.config import TrainConfig

_QUERY, _DOCUMENT = 32, 180
"""Longest query and document in tokens."""


def paper() -> Recipe:
    """Multilingual BERT as a late-interaction teacher, trained on English questions, then distilled into Swahili.

    Huang, Yu and Allan 2023 (arXiv:2301.12566). Known of the paper: a monolingual teacher, bitext alone, and the loss
    <P, C>. Everything else is our choice: mBERT, 128 dimensions, queries of 32 and documents of 180 tokens without
    query augmentation and markers; question-passage pairs, mined negatives, rates, batches and epochs of the teacher;
    cosine cost, epsilon 0.1, uniform marginals, special tokens left out; bitext, rates and epochs of the student, which
    starts from the teacher; AfriQA, because the documents of CLEF are licensed.

    It needs GPUs (178 million weights, trained twice) and has not been run. Tests run the same code on a tiny model.
    mBERT comes from the hub, at the commit that you give:
    ``python -m pipelines run paper --teacher.revision <40 digits> --use-gpu --num-workers 4``.
    """
    return Recipe(
        name="paper",
        bitext=BitextConfig(datasets=("globalvoices-swa",), source="swa", target="eng", dev_pairs=256),
        teacher=TeacherConfig(
            weights="google-bert/bert-base-multilingual-cased",
            query_length=_QUERY,
            document_length=_DOCUMENT,
            training=PretrainedTraining(
                pairs=("squad-nqg", "nq-oracle", "qed", "selqa", "medquad"),
                negatives=1,
                dim=128,
                train=TrainConfig(
                    epochs=3,
                    batch_pairs=128,
                    batch_tokens=128 * (_QUERY + _DOCUMENT),
                    source_length=_QUERY,
                    target_length=_DOCUMENT,
                    learning_rate=2e-5,
                ),
            ),
        ),
        objective=ot.Config(epsilon=0.1),
        train=TrainConfig(epochs=3, batch_pairs=128, batch_tokens=16384, learning_rate=5e-5),
        evaluation=CrossLingual(collection="afriqa-swa"),
    )
