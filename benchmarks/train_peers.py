"""Multilingual MSE distillation as sentence-transformers documents it, on the pairs of ``benchmarks.train``."""

import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.running import version_of
from optical.train.config import TrainConfig

_NEEDED = ("sentence-transformers", "accelerate", "datasets")


@dataclass(frozen=True)
class MseRun:
    """Seconds to make the labels with the teacher, and to train one epoch on them."""

    label_seconds: float
    train_seconds: float


def missing() -> str:
    """What has to be installed first; empty when nothing is."""
    lacking = [name for name in _NEEDED if version_of(name) is None]
    return f"pip install --no-deps {' '.join(lacking)}" if lacking else ""


def distil(
    start: Path,
    teacher: Path,
    sources: list[str],
    targets: list[str],
    train: TrainConfig,
    both_sides: bool,
    keep: Path | None = None,
) -> MseRun:
    """Its trainer over all pairs, from the same weights, with the same batch size, lengths, learning rate and epochs.

    Its recipe lets the student read both sides; with ``both_sides`` false the student reads the source alone, as ours.
    The encoder it has trained is written to the folder ``keep``, where one is given.
    """
    from datasets import Dataset
    from sentence_transformers import SentenceTransformerTrainer, SentenceTransformerTrainingArguments
    from sentence_transformers.sentence_transformer.losses import MSELoss
    from transformers import PrinterCallback

    started = time.perf_counter()
    labels = sentence_encoder(teacher, train.target_length).encode(
        targets, batch_size=train.batch_pairs, show_progress_bar=False
    )
    label_seconds = time.perf_counter() - started
    student = sentence_encoder(start, train.source_length)
    columns = ({"english": targets} if both_sides else {}) | {"non_english": sources, "label": labels.tolist()}
    with TemporaryDirectory() as folder:
        options = SentenceTransformerTrainingArguments(
            output_dir=folder,
            num_train_epochs=train.epochs,
            per_device_train_batch_size=train.batch_pairs,
            learning_rate=train.learning_rate,
            max_grad_norm=train.max_grad_norm,
            weight_decay=train.weight_decay,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
        )
        clock = _clock()
        trainer = SentenceTransformerTrainer(
            model=student,
            args=options,
            train_dataset=Dataset.from_dict(columns),
            loss=MSELoss(student),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    if keep:
        student[0].auto_model.save_pretrained(keep)
        student.tokenizer.save_pretrained(keep)
    return MseRun(label_seconds, clock.ended - clock.started)


def sentence_encoder(folder: Path, length: int) -> object:
    """Mean pooling over the tokens of an encoder folder."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    tokens = Transformer(str(folder), max_seq_length=length)
    modules = [tokens, Pooling(tokens.get_embedding_dimension(), "mean")]
    return SentenceTransformer(modules=modules, device="cpu")


def _clock() -> object:
    """A trainer callback that notes when the first step begins and the last one ends."""
    from transformers import TrainerCallback

    class Clock(TrainerCallback):
        started = ended = 0.0

        def on_step_begin(self, *_: object, **__: object) -> None:
            self.started = self.started or time.perf_counter()

        def on_step_end(self, *_: object, **__: object) -> None:
            self.ended = time.perf_counter()

    return Clock()
