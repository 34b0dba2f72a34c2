"""The shape of a teacher trained from scratch, and how a student differs from its teacher."""

from dataclasses import dataclass
from math import inf

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
class StudentConfig:
    """How the student differs from the teacher before the first step."""

    vocabulary: int = 0
    """Size of a WordPiece vocabulary learned from the source side and added to the teacher's, its embeddings
    initialised through the bitext; 0 keeps the teacher's vocabulary."""

    def __post_init__(self) -> None:
        require(self.vocabulary >= 0, "student.vocabulary", f"is {self.vocabulary}", "set 0 or more")
