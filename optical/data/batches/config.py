"""What decides the batches of a training."""

import math
from dataclasses import dataclass, field

from optical.errors import UserError, require, require_seed


@dataclass(frozen=True, kw_only=True)
class MixtureConfig:
    """Shares of the data sets in an epoch, the monolingual share of a batch, and the order of lengths.

    An epoch always has as many pairs as there are to train on; a data set with more than its share is seen whole
    over several epochs, and one with less repeats.
    """

    weights: tuple[float, ...] = ()
    """Share of each data set, in the order of ``bitext.datasets``; of any sum. Empty: by ``temperature``."""
    temperature: float = 1.0
    """Shares are proportional to size^(1 / temperature): 1 takes every pair once, more favours small data sets."""
    mono_share: float = 0.0
    """Share of each batch's pairs in which the student reads the English side too, which keeps it at home in
    English."""
    curriculum: bool = False
    """Go from short to long through each window (about 100,000 pairs) of the first epoch; later ones are shuffled."""

    def __post_init__(self) -> None:
        where = "train.mixture"
        if self.weights and not (all(0 <= weight < math.inf for weight in self.weights) and sum(self.weights) > 0):
            what = f"is {self.weights}, and weights are finite, none negative, not all zero"
            raise UserError(f"{where}.weights", what, "give one positive weight for each data set")
        if not 1 <= self.temperature < math.inf:
            raise UserError(f"{where}.temperature", f"is {self.temperature}", "set 1 (by size) or more (more even)")
        if not 0 <= self.mono_share <= 1:
            raise UserError(f"{where}.mono_share", f"is {self.mono_share}", "set 0 to 1")


@dataclass(frozen=True, kw_only=True)
class BatchConfig:
    """Which pairs each step trains on: epochs, the two budgets of a batch, lengths, mixture, seed."""

    epochs: int = 1
    """Passes over the training pairs."""
    max_steps: int | None = None
    """Most steps; a training that would take more ends there, its learning rate with it. None: all epochs."""
    batch_pairs: int = 64
    """Most sentence pairs in one global batch."""
    batch_tokens: int = 8192
    """Most padded tokens (source plus target) in one global batch."""
    source_length: int = 64
    """Longest source sentence in tokens; the rest is cut."""
    target_length: int = 64
    """Longest target sentence in tokens; the rest is cut."""
    seed: int = 0
    """Seed of the order of batches, and of a scratch teacher's weights."""
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    """How the data sets are mixed."""

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_pairs", "batch_tokens"):
            value = getattr(self, name)
            require(0 < value < math.inf, f"train.{name}", f"is {value}", "set a positive number")
        if self.max_steps is not None:
            require(self.max_steps > 0, "train.max_steps", f"is {self.max_steps}", "set a positive number, or none")
        for name in ("source_length", "target_length"):
            require(getattr(self, name) >= 4, f"train.{name}", f"is {getattr(self, name)}", "set at least 4 tokens")
        require_seed("train.seed", self.seed)
        longest = self.source_length + self.target_length
        what = f"is {self.batch_tokens}, and one pair may have {longest} tokens"
        require(self.batch_tokens >= longest, "train.batch_tokens", what, f"set at least {longest}")
