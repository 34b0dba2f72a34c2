"""Leaks: pairs of the bitext that occur in a test collection.

Sides are compared by their skeletons (letters and digits, without case). A pair with a side that
occurs in a collection is dropped when the side is too long for coincidence: at least 15 letters and digits, and at
least 4 words unless it is written without spaces. With shorter sides ("How are you?") it is dropped only when both
occur.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Self

import numpy as np

from optical.data.bitext.screen import repaired
from optical.data.cleaning.codepoints import skeletons
from optical.data.cleaning.keys import hashes
from optical.data.cleaning.side import Side

_FEWEST_LETTERS = 15
_FEWEST_WORDS = 4
_NOWHERE = -1
_TEXTS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class HeldOut:
    """Every text of some test collections as a sorted key, and the number of the first collection that has it."""

    names: tuple[str, ...]
    keys: np.ndarray
    numbers: np.ndarray

    @classmethod
    def of(cls, collections: Mapping[str, Iterable[str]]) -> Self:
        """Gather the normalised texts of collections by name; texts without letter or digit are left out."""
        keys, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
        for number, texts in enumerate(collections.values()):
            for block in _blocks(texts):
                whole = [repaired(text)[0] for text in block]  # as the pairs are repaired that they are compared with
                keys.append(hashes(skeleton for skeleton in skeletons(whole) if skeleton))
                numbers.append(np.full(len(keys[-1]), number, np.int32))
        unique, first = np.unique(np.concatenate(keys), return_index=True)
        return cls(tuple(collections), unique, np.concatenate(numbers)[first])

    def leaks(self, source: Side, target: Side | None) -> np.ndarray:
        """The name of the collection that each pair leaks from, or None.

        Args:
            source: the query-language sides.
            target: the English sides of the same pairs; None when they may occur in a collection.
        """
        sources = self._find(source.keys)
        targets = np.full(len(sources), _NOWHERE) if target is None else self._find(target.keys)
        leaking = (sources != _NOWHERE) & (targets != _NOWHERE)
        leaking |= _found_and_long(source, sources)
        if target is not None:
            leaking |= _found_and_long(target, targets)
        places = np.where(leaking, np.where(sources != _NOWHERE, sources, targets), _NOWHERE)
        return np.array([*self.names, None], object)[places]

    def _find(self, keys: np.ndarray) -> np.ndarray:
        if not len(self.keys):
            return np.full(len(keys), _NOWHERE)
        nearest = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        return np.where(self.keys[nearest] == keys, self.numbers[nearest], _NOWHERE)


def _found_and_long(side: Side, places: np.ndarray) -> np.ndarray:
    """Which sides were found and are too long to be there by coincidence."""
    long = np.zeros(len(places), bool)
    for row in np.flatnonzero(places != _NOWHERE):
        words = side.texts[row].count(" ") + 1
        long[row] = len(side.skeletons[row]) >= _FEWEST_LETTERS and (words == 1 or words >= _FEWEST_WORDS)
    return long


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    texts = iter(texts)
    while block := list(islice(texts, _TEXTS_AT_ONCE)):
        yield block
