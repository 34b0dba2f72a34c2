"""The teacher and the student."""

from dataclasses import dataclass, field

from optical.config.checks import require
from optical.config.train import TrainConfig

SCRATCH_POSITIONS = 256
"""Longest sentence in tokens that a teacher trained from scratch can read."""


@dataclass(frozen=True, kw_only=True)
class ScratchConfig:
    """Shape of a small late-interaction teacher trained from scratch, and what it is trained on."""

    pairs: tuple[str, ...]
    """Data sets of English question-passage pairs."""
    vocabulary: int = 4000
    """WordPiece vocabulary size, learned on the pairs and on both sides of the bitext."""
    hidden: int = 128
    """Width of the backbone."""
    layers: int = 2
    """Transformer layers."""
    heads: int = 4
    """Attention heads."""
    dim: int = 64
    """Dimension of the token embeddings."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How the teacher is trained (in-batch contrastive MaxSim)."""
    temperature: float = 0.05
    """Softmax temperature of the contrastive loss, applied to the mean MaxSim per query token."""

    def __post_init__(self) -> None:
        where = "teacher.scratch"
        require(len(self.pairs) > 0, f"{where}.pairs", "names no data set", "give at least one")
        for name in ("vocabulary", "hidden", "layers", "heads", "dim", "temperature"):
            value = getattr(self, name)
            require(0 < value < float("inf"), f"{where}.{name}", f"is {value}", "set a positive number")
        what = f"is {self.hidden}, which {self.heads} heads do not divide"
        require(self.hidden % self.heads == 0, f"{where}.hidden", what, "set a multiple of the heads")
        what = f"is {self.train.accumulate}, and parts of a batch would lack each other's negatives"
        require(self.train.accumulate == 1, f"{where}.train.accumulate", what, "set 1")


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """The English late-interaction encoder: where its weights come from and how it reads text."""

    weights: str = "all-minilm-l6-v2"
    """A registered model, a folder, a hub id, or ``scratch`` (trained by the run, see ``scratch``)."""
    revision: str | None = None
    """Hub revision (commit); required for a hub id."""
    query_length: int = 64
    """Longest query in tokens."""
    document_length: int = 180
    """Longest document in tokens."""
    cache: bool = False
    """Encode the target sides once, into float16 shards that every epoch and every trial of a search reads; losses
    agree with those of an uncached run within float16 rounding."""
    scratch: ScratchConfig | None = None
    """The small teacher to train when ``weights`` is ``scratch``."""

    def __post_init__(self) -> None:
        for name in ("query_length", "document_length"):
            require(getattr(self, name) >= 4, f"teacher.{name}", f"is {getattr(self, name)}", "set at least 4 tokens")
        require(
            (self.weights == "scratch") == (self.scratch is not None),
            "teacher.weights",
            f"is {self.weights!r} and teacher.scratch is {'given' if self.scratch else 'missing'}",
            "set both for a teacher trained by the run, or neither",
        )


@dataclass(frozen=True, kw_only=True)
class StudentConfig:
    """How the student differs from the teacher before the first step."""

    vocabulary: int = 0
    """Size of a WordPiece vocabulary learned from the source side and added to the teacher's, its embeddings
    initialised through the bitext; 0 keeps the teacher's vocabulary."""

    def __post_init__(self) -> None:
        require(self.vocabulary >= 0, "student.vocabulary", f"is {self.vocabulary}", "set 0 or more")
