"""Seeded choices that are the same on every machine and every Python."""

from collections.abc import Hashable, Sequence
from random import Random
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Random choices built on ``Random.random()`` alone, the one method whose stream Python promises to keep.

    Args:
        seed: equal seeds make equal choices.
    """

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._decks: dict[Hashable, list] = {}

    def below(self, bound: int) -> int:
        """A whole number from 0 to ``bound - 1``."""
        return int(self._random.random() * bound)

    def happens(self, probability: float) -> bool:
        """Whether an event of this probability happens."""
        return self._random.random() < probability

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """The items in another order (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = self.below(last + 1)
            result[last], result[other] = result[other], result[last]
        return result

    def deal(self, key: Hashable, items: Sequence[T]) -> T:
        """The next item of a shuffled deck kept under ``key``: no item comes twice before all came once."""
        deck = self._decks.get(key)
        if not deck:
            deck = self._decks[key] = self.shuffled(items)
        return deck.pop()
