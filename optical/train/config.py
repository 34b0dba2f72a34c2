"""How the student, or a teacher trained from scratch, is trained."""

from dataclasses import dataclass
from math import inf
from typing import Literal

from optical.data.batches.config import BatchConfig
from optical.errors import require

_RATES = ("learning_rate", "embedding_rate", "head_rate", "layer_decay")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(BatchConfig):
    """One pass of the training loop: batches, optimiser, cadence, seed."""

    accumulate: int = 1
    """Parts in which a rank computes its share of a global batch, one after the other, to save memory; the loss is
    still the mean over the whole batch, so the update is the same within rounding."""
    learning_rate: float = 3e-4
    """Peak learning rate of AdamW."""
    embedding_rate: float = 1.0
    """Factor of the learning rate for the word embeddings."""
    head_rate: float = 1.0
    """Factor of the learning rate for the projection."""
    layer_decay: float = 1.0
    """Factor of the learning rate for each step down from the top transformer layer: 1 for that layer and the
    projection, ``layer_decay`` for the layer below it, and ``layer_decay`` to the number of layers for all
    embeddings."""
    warmup_share: float = 0.1
    """Share of the steps spent on linear warm-up; linear decay to zero follows."""
    weight_decay: float = 0.01
    """AdamW weight decay of matrices; vectors (bias, layer norm) get none."""
    max_grad_norm: float = 1.0
    """Global gradient norm above which gradients are scaled down."""
    checkpoint_steps: int = 200
    """Steps between checkpoints."""
    dev_steps: int = 100
    """Steps between two dev measurements."""
    noise_weighting: Literal["off", "huber"] = "off"
    """``huber``: a pair whose loss lies far above the median of its batch counts less, as a misaligned pair's does; see
    ``noise_weight`` in the journal, the mean weight. It needs whole batches (``accumulate`` 1)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("accumulate", "checkpoint_steps", "dev_steps", *_RATES, "max_grad_norm"):
            value = getattr(self, name)
            require(0 < value < inf, f"train.{name}", f"is {value}", "set a positive number")
        require(self.layer_decay <= 1, "train.layer_decay", f"is {self.layer_decay}", "set at most 1")
        require(0 <= self.weight_decay < inf, "train.weight_decay", f"is {self.weight_decay}", "set 0 or more")
        known, what = self.noise_weighting in ("off", "huber"), f"is {self.noise_weighting!r}"
        require(known, "train.noise_weighting", what, "choose from off, huber")
        what = f"is {self.accumulate}, and train.noise_weighting compares the pairs of a batch with each other"
        require(self.noise_weighting == "off" or self.accumulate == 1, "train.accumulate", what, "set 1")
        require(0 <= self.warmup_share < 1, "train.warmup_share", f"is {self.warmup_share}", "set 0 to below 1")
