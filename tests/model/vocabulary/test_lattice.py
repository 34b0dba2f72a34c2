"""Sums over all ways to cut words, against counting them one by one."""

from collections.abc import Iterator

import numpy as np
import pytest

from optical.model.vocabulary.lattice import Edges, Lattice, expected_counts, log_sums, substring_edges

PIECES = ["a", "b", "c", "ab", "ba", "abc", "bc", "cab", "aa"]
WORDS = ["a", "abcab", "aaaa", "bca", "cabcab"]
COUNTS = np.array([3.0, 1.0, 2.0, 5.0, 1.0])


def graph(words: list[str], pieces: list[str]) -> Lattice:
    """The graph with each word as a whole among its pieces, if it is one."""
    edges = substring_edges(words, {piece: number for number, piece in enumerate(pieces)})
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    whole = [(starts[n], starts[n] + len(word), pieces.index(word)) for n, word in enumerate(words) if word in pieces]
    more = np.array(whole, int).reshape(-1, 3).T
    joined = [np.concatenate([old, new]) for old, new in zip((edges.first, edges.last, edges.piece), more, strict=True)]
    return Lattice.of(np.array([len(word) for word in words]), Edges(*joined))


def ways(word: str, pieces: list[str]) -> Iterator[list[str]]:
    if not word:
        yield []
    for piece in pieces:
        if word.startswith(piece):
            for rest in ways(word[len(piece) :], pieces):
                yield [piece, *rest]


def by_counting(words: list[str], pieces: list[str], scores: np.ndarray) -> tuple[list[float], np.ndarray]:
    expected, sums = np.zeros(len(pieces)), []
    for word, count in zip(words, COUNTS, strict=True):
        found = list(ways(word, pieces))
        chances = np.array([np.exp(sum(scores[pieces.index(piece)] for piece in way)) for way in found])
        sums.append(np.log(chances.sum()))
        for way, chance in zip(found, chances / chances.sum(), strict=True):
            for piece in way:
                expected[pieces.index(piece)] += count * chance
    return sums, expected


@pytest.mark.parametrize("kept", [[True] * 9, [True, True, True, False, True, True, False, False, True]])
def test_sums_and_expectations_are_those_over_all_ways(kept: list[bool]):
    scores = np.log(np.random.default_rng(0).dirichlet(np.ones(len(PIECES))))[np.array(kept)]
    pieces = [piece for piece, stays in zip(PIECES, kept, strict=True) if stays]
    sums, expected = by_counting(WORDS, pieces, scores)
    for lattice in (graph(WORDS, PIECES).keeping(np.array(kept)), graph(WORDS, pieces)):
        np.testing.assert_allclose(log_sums(lattice, scores)[lattice.ends], sums, rtol=1e-12)
        np.testing.assert_allclose(expected_counts(lattice, scores, COUNTS), expected, rtol=1e-12)


def test_a_word_without_a_way_has_no_probability():
    lattice = Lattice.of(np.array([2, 1]), substring_edges(["ab", "a"], {"a": 0}))
    assert log_sums(lattice, np.array([-1.0]))[lattice.ends].tolist() == [-np.inf, -np.inf]


def test_a_long_word_does_not_underflow():
    lattice = graph(["a" * 3000], ["a", "aa"])
    scores = np.log([0.7, 0.3])
    # The sums over a^n satisfy s(n) = 0.7 s(n - 1) + 0.3 s(n - 2), which tends to 1 / 1.3.
    assert log_sums(lattice, scores)[lattice.ends][0] == pytest.approx(np.log(1 / 1.3))
    counts = expected_counts(lattice, scores, np.array([1.0]))
    assert counts[0] + 2 * counts[1] == pytest.approx(3000)
