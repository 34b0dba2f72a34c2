"""One side of a block of pairs, with what is derived from it made once, when first asked for."""

from functools import cached_property

import numpy as np

from optical.data.cleaning.codepoints import skeletons
from optical.data.cleaning.keys import hashes


class Side:
    """The sentences of one language in a block.

    Args:
        texts: normalised sentences.
        language: see ``languages.known``.
    """

    def __init__(self, texts: list[str], language: str) -> None:
        self.texts = texts
        self.language = language

    @cached_property
    def skeletons(self) -> list[str]:
        """Letters and digits of each sentence, without case."""
        return skeletons(self.texts)

    @cached_property
    def keys(self) -> np.ndarray:
        """Hashes of the skeletons."""
        return hashes(self.skeletons)
