"""A training job: everything that a worker needs, as picklable values."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from optical.data.batches.teacher_cache import TeacherCache
from optical.data.batches.token_shards import NEGATIVE
from optical.model.storage import load_encoder
from optical.objectives.base import Objective, ObjectiveConfig
from optical.train.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """One encoder to train on one tokens artefact.

    Args:
        fingerprint: identity of the result; a checkpoint of another fingerprint is never resumed.
        tokens: tokens artefact with train and dev shards.
        start: encoder folder that training starts from.
        folder: where checkpoints, the journal and the result go.
        train: batches and optimiser.
        objective: what is minimised.
        teacher: folder of the frozen encoder of the target side; None if the trained encoder encodes both sides.
        teacher_cache: the teacher's embeddings of the target sides, if they are cached.
        word_embeddings: whether training moves the word embeddings (``train``) or not (``freeze``).
        is_bridge: whether this is the training of a student before its distillation.
    """

    fingerprint: str
    tokens: Path
    start: Path
    folder: Path
    train: TrainConfig
    objective: ObjectiveConfig
    teacher: Path | None = None
    teacher_cache: TeacherCache | None = None
    word_embeddings: Literal["train", "freeze"] = "train"
    is_bridge: bool = False

    @property
    def trains(self) -> str:
        """The name of the training: ``student`` or ``bridge`` (of a frozen teacher), or ``teacher`` (without one)."""
        if self.teacher is None:
            return "teacher"
        return "bridge" if self.is_bridge else "student"

    @property
    def columns_read(self) -> tuple[str, ...]:
        """Columns of the token shards whose ids the trained encoder reads with gradients."""
        targets = ("target_ids", NEGATIVE) if self.teacher is None else ()
        return (*self.source_columns, *targets)

    @property
    def source_columns(self) -> tuple[str, ...]:
        """Columns of the token shards whose sentences are sources of pairs."""
        mono = ("mono_ids",) if self.train.mixture.mono_share > 0 else ()
        return ("source_ids", *mono)

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.folder / "checkpoints"

    @property
    def journal(self) -> Path:
        """The metrics journal (JSON lines)."""
        return self.folder / "metrics.jsonl"

    @property
    def result(self) -> Path:
        """The trained encoder, an artefact of kind ``encoder``."""
        return self.folder / "encoder"

    def build_objective(self) -> Objective:
        """The objective, on the CPU, prepared for the training pairs."""
        objective = self.objective.build(load_encoder(self.teacher) if self.teacher else None)
        objective.prepare(self.tokens, self.source_columns)
        return objective
