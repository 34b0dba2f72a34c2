"""What surrounds a text's own tokens, and which tokens score, as plain numbers.

A frame is all that training and search need to know about a tokenizer once the ids exist. It is stored beside the ids.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from optical.errors import require
from optical.model.text.tokens import cut_all


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The frame of one tokenizer in one role."""

    before: tuple[int, ...]
    """Ids before the text's own: special tokens, marker, prefix."""
    after: tuple[int, ...]
    """Ids behind them."""
    pad: int
    """Id that fills up a batch."""
    expand_to: int = 0
    """Query augmentation: a shorter sentence is filled up to so many tokens, and these score too."""
    filler: int = 0
    """Id of the filling token."""
    attends: bool = False
    """Whether other tokens attend to the filling ones."""
    silent: tuple[int, ...] = ()
    """Ids that do not score."""
    inner_scores: bool = False
    """Whether only the text's own tokens score."""

    @property
    def size(self) -> int:
        """Tokens around a text; a sentence of so many has none of its own."""
        return len(self.before) + len(self.after)

    def cut(self, sentences: pa.ListArray, length: int) -> pa.ListArray:
        """Sentences cut to ``length`` tokens, or to fewer where the query augmentation fixes the length."""
        return cut_all(sentences, self.longest(length), len(self.after))

    def longest(self, length: int) -> int:
        """Most ids of a sentence that is cut to ``length`` tokens: query augmentation fixes its width.

        Raises:
            UserError: no token of the text itself would be left.
        """
        most = min(length, self.expand_to) if self.expand_to else length
        what = f"is {most}, and {self.size} tokens stand around every text (special tokens, marker, prefix)"
        require(most > self.size, "longest text in tokens", what, f"set at least {self.size + 1}")
        return most

    def widths(self, lengths: np.ndarray, length: int) -> np.ndarray:
        """Columns that each sentence takes in a batch, once it is cut to ``length`` or filled up."""
        return np.full(len(lengths), self.expand_to) if self.expand_to else np.minimum(lengths, length)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Frame":
        """The frame of ``as_dict``."""
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()
        }
        return cls(**fields)


@dataclass(frozen=True)
class Frames:
    """The frames of the two sides of a sentence pair."""

    source: Frame
    target: Frame

    def as_dict(self) -> dict[str, Any]:
        """Plain values for a manifest."""
        return {"source": self.source.as_dict(), "target": self.target.as_dict()}

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> "Frames":
        """The frames of ``as_dict``."""
        return cls(Frame.of(plain["source"]), Frame.of(plain["target"]))
