"""The shape of a teacher trained from scratch, and how a student differs from its teacher."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from optical.errors import require

SCRATCH_POSITIONS = 256
"""Longest sentence in tokens that a teacher trained from scratch can read."""


@dataclass(frozen=True, kw_only=True)
class ScratchShape:
    """Shape of a small late-interaction teacher with random weights."""

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

    def __post_init__(self) -> None:
        where = "teacher.scratch"
        for name in ("vocabulary", "hidden", "layers", "heads", "dim"):
            value = getattr(self, name)
            require(0 < value < inf, f"{where}.{name}", f"is {value}", "set a positive number")
        what = f"is {self.hidden}, which {self.heads} heads do not divide"
        require(self.hidden % self.heads == 0, f"{where}.hidden", what, "set a multiple of the heads")


@dataclass(frozen=True, kw_only=True)
class StartConfig:
    """How the student differs from the teacher before the first step."""

    weights: str | None = None
    """A registered model, a folder, or a hub id, of any family; by default the teacher's. It reads queries with the
    prefix and the marker that its own folder says, because these belong to a family of models."""
    revision: str | None = None
    """Hub revision (commit of 40 digits); required for a hub id."""
    query_prefix: str | None = None
    """Text that a student with weights of its own puts in front of queries, such as ``query: ``; by default what its
    folder says."""
    start: Literal["ridge", "procrustes", "gaussian", "none"] = "ridge"
    """How a student with weights of its own comes into the teacher's space: by a projection that is fitted in closed
    form on English sentences that both read, as ridge regression or as a rotation; ``none`` keeps its own.
    ``gaussian``, for a copy of the teacher too, needs no English reading: a linear layer behind the student's own that
    gives the token vectors of its language the mean and the covariance of the teacher's English ones."""
    vocabulary: int = 0
    """Size of a vocabulary learned from the source side and added to the encoder's own, its embeddings initialised
    through the bitext; 0 adds none."""
    min_frequency: int = 1
    """A new piece of the vocabulary occurs in the source side at least so often: a rare one starts at a poor place."""
    layers: int = 0
    """Transformer layers to keep, from the first; 0 keeps all."""
    word_embeddings: Literal["train", "freeze"] = "train"
    """``train``: training moves the word embeddings that the training data contains. ``freeze``: it moves none, which
    saves time and memory, and keeps tokens that the training data lacks in the same space as the others."""

    def __post_init__(self) -> None:
        for name in ("vocabulary", "layers"):
            value = getattr(self, name)
            require(value >= 0, f"student.{name}", f"is {value}", "set 0 or more")
        require(self.min_frequency >= 1, "student.min_frequency", f"is {self.min_frequency}", "set 1 or more")
        what = f"is {self.query_prefix!r}, and a student without weights of its own reads as the teacher does"
        readable = self.query_prefix is None or self.weights is not None
        require(readable, "student.query_prefix", what, "set teacher.query_prefix, or student.weights")
        starts = ("ridge", "procrustes", "gaussian", "none")
        require(self.start in starts, "student.start", f"is {self.start!r}", f"choose from {', '.join(starts)}")
        known, what = self.word_embeddings in ("train", "freeze"), f"is {self.word_embeddings!r}"
        require(known, "student.word_embeddings", what, "choose from train, freeze")

    @property
    def is_fitted(self) -> bool:
        """Whether the start is fitted to the teacher's vectors: a copy of the teacher starts there but for one rule."""
        return self.start == "gaussian" or bool(self.weights and self.start != "none")
