"""Learning merges of byte-pair encoding (Sennrich et al. 2016) from words that are already cut into pieces."""

import heapq
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

Pair = tuple[str, str]

_LEAST_COUNT = 2


def learn_merges(
    words: Mapping[tuple[str, ...], int],
    known: Sequence[str] | set[str],
    most_new: int,
    allowed: Callable[[str], bool],
    min_frequency: int = 1,
) -> list[Pair]:
    """Further merges, the most frequent first.

    The pair of neighbours that occurs most often becomes one piece, and so on. Of pairs that occur equally often, the
    first in alphabetical order is taken. A pair that occurs once is never merged.

    Args:
        words: how often each word occurs; a word is the sequence of its pieces.
        known: pieces of the old vocabulary. A merge may lead to one of them by another way; it adds no new piece.
        most_new: most new pieces.
        allowed: whether a piece may be made.
        min_frequency: how often a pair occurs at least when it is merged.

    >>> learn_merges({("a", "b", "a", "b"): 3, ("b", "a"): 2}, {"a", "b"}, 2, lambda piece: True)
    [('a', 'b'), ('ab', 'ab')]
    """
    learner = _Learner(words, allowed, max(min_frequency, _LEAST_COUNT))
    made, new, merges = set(known), 0, []
    while new < most_new and (pair := learner.best()) is not None:
        learner.merge(pair)
        merges.append(pair)
        new += "".join(pair) not in made
        made.add("".join(pair))
    return merges


class _Learner:
    """Words, the counts of their pairs, and where each pair stands; a merge changes only the words that have it."""

    def __init__(self, words: Mapping[tuple[str, ...], int], allowed: Callable[[str], bool], least: int) -> None:
        self._words = [list(word) for word in words]
        self._counts = list(words.values())
        self._allowed, self._least = allowed, least
        self._pairs: dict[Pair, int] = defaultdict(int)
        self._where: dict[Pair, set[int]] = defaultdict(set)
        for number, word in enumerate(self._words):
            self._count(word, number, self._counts[number])
        self._heap = [(-count, pair) for pair, count in self._pairs.items() if self._may_merge(pair)]
        heapq.heapify(self._heap)

    def best(self) -> Pair | None:
        """The most frequent pair; an entry of the heap whose count has changed since is put back or dropped."""
        while self._heap:
            negative, pair = heapq.heappop(self._heap)
            count = self._pairs.get(pair, 0)
            if count == -negative:
                return pair
            if self._may_merge(pair):
                heapq.heappush(self._heap, (-count, pair))
        return None

    def merge(self, pair: Pair) -> None:
        """Join the pair in every word that has it, from left to right."""
        touched: set[Pair] = set()
        for number in self._where.pop(pair, set()):
            count, word = self._counts[number], self._words[number]
            joined = _joined(word, pair)
            touched.update(self._count(word, number, -count))
            touched.update(self._count(joined, number, count))
            self._words[number] = joined
        for changed in touched:
            if self._may_merge(changed):
                heapq.heappush(self._heap, (-self._pairs[changed], changed))

    def _count(self, word: list[str], number: int, count: int) -> set[Pair]:
        pairs = list(zip(word[:-1], word[1:], strict=True))
        for pair in pairs:
            self._pairs[pair] += count
            if count > 0:
                self._where[pair].add(number)
        return set(pairs)

    def _may_merge(self, pair: Pair) -> bool:
        return self._pairs.get(pair, 0) >= self._least and self._allowed("".join(pair))


def _joined(word: list[str], pair: Pair) -> list[str]:
    joined: list[str] = []
    place = 0
    while place < len(word):
        if place + 1 < len(word) and (word[place], word[place + 1]) == pair:
            joined.append(word[place] + word[place + 1])
            place += 2
        else:
            joined.append(word[place])
            place += 1
    return joined
