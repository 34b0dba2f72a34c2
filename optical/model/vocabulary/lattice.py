"""Every way to cut words into pieces, as one graph over all words, and probabilities on it.

A node is a position between two characters of a word, and an edge is a piece that stands between two of them. The edges
of all words are kept in one array in the order in which a pass visits them, so that a pass over all words is a few
operations of numpy for each position. These add in a fixed order, so equal input gives equal bits.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Edges:
    """Pieces between nodes.

    Args:
        first: (edges) the node where each piece begins.
        last: (edges) the node where it ends.
        piece: (edges) its number.
    """

    first: np.ndarray
    last: np.ndarray
    piece: np.ndarray

    def taken(self, where: np.ndarray) -> "Edges":
        """The edges of a mask, or in the order of an index."""
        return Edges(self.first[where], self.last[where], self.piece[where])


@dataclass(frozen=True)
class Lattice:
    """The graph of some words.

    Args:
        starts: (words) first node of every word.
        ends: (words) last node of every word.
        forward: edges in the order of the position where they end.
        backward: edges in the reverse order of the position where they begin.
        forward_levels: (levels + 1) where the edges of each position begin in ``forward``.
        backward_levels: (levels + 1) where the edges of each position begin in ``backward``.
    """

    starts: np.ndarray
    ends: np.ndarray
    forward: Edges
    backward: Edges
    forward_levels: np.ndarray
    backward_levels: np.ndarray

    @classmethod
    def of(cls, lengths: np.ndarray, edges: Edges) -> "Lattice":
        """The graph of words with so many characters; the nodes of a word follow those of the word before it."""
        starts = np.concatenate([[0], np.cumsum(lengths + 1)])[:-1]
        level = np.arange(int((lengths + 1).sum())) - np.repeat(starts, lengths + 1)
        forward, forward_levels = _ordered(edges, level[edges.last], edges.last)
        backward, backward_levels = _ordered(edges, -level[edges.first], edges.first)
        return cls(starts, starts + lengths, forward, backward, forward_levels, backward_levels)

    def keeping(self, kept: np.ndarray) -> "Lattice":
        """The graph without some pieces; the others are numbered anew.

        Args:
            kept: (pieces) whether each piece stays.
        """
        forward, forward_levels = _kept(self.forward, self.forward_levels, kept)
        backward, backward_levels = _kept(self.backward, self.backward_levels, kept)
        return Lattice(self.starts, self.ends, forward, backward, forward_levels, backward_levels)


def substring_edges(words: Sequence[str], numbers: dict[str, int]) -> Edges:
    """Every occurrence of a numbered piece in some words, the word as a whole left out."""
    found: list[tuple[int, int, int]] = []
    longest, base = max(map(len, numbers), default=0), 0
    for word in words:
        size = len(word)
        for first in range(size):
            for last in range(first + 1, min(size, first + longest) + 1):
                piece = numbers.get(word[first:last])
                if piece is not None and last - first < size:
                    found.append((base + first, base + last, piece))
        base += size + 1
    return Edges(*np.array(found, np.int64).reshape(-1, 3).T)


def log_sums(lattice: Lattice, scores: np.ndarray) -> np.ndarray:
    """(nodes) logarithm of the summed probabilities of all ways from the start of the word to each node.

    Args:
        lattice: the graph; a node that no edge leads to has -inf.
        scores: (pieces) logarithm of each piece's probability.
    """
    sums = np.full(int(lattice.ends[-1]) + 1 if len(lattice.ends) else 0, -np.inf)
    sums[lattice.starts] = 0.0
    _pass(sums, lattice.forward.first, lattice.forward.last, scores[lattice.forward.piece], lattice.forward_levels)
    return sums


def expected_counts(lattice: Lattice, scores: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """(pieces) how often each piece is expected in the words, over all ways to cut them.

    Args:
        lattice: the graph; every word has at least one way.
        scores: (pieces) logarithm of each piece's probability.
        counts: (words) how often each word occurs.
    """
    before, after = log_sums(lattice, scores), np.full(int(lattice.ends[-1]) + 1, -np.inf)
    after[lattice.ends] = 0.0
    edges = lattice.backward
    _pass(after, edges.last, edges.first, scores[edges.piece], lattice.backward_levels)
    lengths = lattice.ends - lattice.starts
    total, count = (np.repeat(values, lengths + 1) for values in (before[lattice.ends], counts))
    share = np.exp(before[edges.first] + scores[edges.piece] + after[edges.last] - total[edges.first])
    return np.bincount(edges.piece, share * count[edges.first], len(scores))


def _pass(sums: np.ndarray, origin: np.ndarray, goal: np.ndarray, scores: np.ndarray, levels: np.ndarray) -> None:
    """Fill ``sums`` level by level: each goal gets the log of the summed exponentials over its edges."""
    for begin, end in _slices(levels):
        goals = goal[begin:end]
        groups = np.flatnonzero(np.concatenate([[True], goals[1:] != goals[:-1]]))
        values = sums[origin[begin:end]] + scores[begin:end]
        highest = np.maximum.reduceat(values, groups)
        highest[highest == -np.inf] = 0.0
        sizes = np.diff(np.append(groups, end - begin))
        with np.errstate(divide="ignore"):
            summed = np.log(np.add.reduceat(np.exp(values - np.repeat(highest, sizes)), groups))
        sums[goals[groups]] = highest + summed


def _slices(levels: np.ndarray) -> Iterable[tuple[int, int]]:
    return ((int(begin), int(end)) for begin, end in zip(levels[:-1], levels[1:], strict=True) if end > begin)


def _kept(edges: Edges, levels: np.ndarray, kept: np.ndarray) -> tuple[Edges, np.ndarray]:
    stays = kept[edges.piece]
    left, number = edges.taken(stays), np.cumsum(kept) - 1
    return Edges(left.first, left.last, number[left.piece]), np.concatenate([[0], np.cumsum(stays)])[levels]


def _ordered(edges: Edges, level: np.ndarray, node: np.ndarray) -> tuple[Edges, np.ndarray]:
    """The edges in the order of their level and then of a node, and where each level begins."""
    order = np.lexsort((node, level))
    changes = np.flatnonzero(np.diff(level[order])) + 1
    return edges.taken(order), np.concatenate([[0], changes, [len(order)]])
