"""A training job: everything one worker needs to know, in picklable values."""

from dataclasses import dataclass
from pathlib import Path

from optical.data.batches.teacher_cache import TeacherCache
from optical.model.encoder import Encoder
from optical.objectives.base import Objective
from optical.objectives.config import ObjectiveConfig
from optical.objectives.contrastive import InBatchContrastive
from optical.objectives.ot import TransportDistillation
from optical.recipe import ScratchConfig
from optical.train.config import TrainConfig


@dataclass(frozen=True, kw_only=True)
class TrainJob:
    """One encoder to train on one tokens artefact.

    Args:
        stage: ``"teacher"`` (contrastive, from question-passage pairs) or ``"student"`` (distillation).
        fingerprint: identity of the result; a checkpoint of another fingerprint is never resumed.
        tokens: tokens artefact with train and dev shards.
        start: encoder folder the training starts from.
        teacher: encoder folder of the frozen teacher (students only).
        teacher_cache: what the teacher makes of the target sides, when that is cached (students only).
        folder: where checkpoints, the journal and the result go.
        train: batches and optimiser.
        objective: the transport problem (students only).
        scratch: the contrastive loss (teachers only).
    """

    stage: str
    fingerprint: str
    tokens: Path
    start: Path
    folder: Path
    train: TrainConfig
    teacher: Path | None = None
    teacher_cache: TeacherCache | None = None
    objective: ObjectiveConfig | None = None
    scratch: ScratchConfig | None = None

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
        """The objective of this stage, on the CPU."""
        if self.stage == "teacher":
            return InBatchContrastive(self.scratch.temperature)
        return TransportDistillation(Encoder.load(self.teacher), self.objective)
