"""Learning the pieces of a Unigram vocabulary (Kudo 2018), deterministically.

The library's own trainer keeps its words in randomly seeded hash maps and adds in their order, so two runs differ. Here
the words are sorted, and all sums have one order.
"""

from collections.abc import Mapping

import numpy as np
from scipy.special import digamma

from optical.model.vocabulary.lattice import Edges, Lattice, expected_counts, log_sums, substring_edges

LONGEST = 16
"""Most characters of a piece, as in SentencePiece."""

_MOST_CHARACTERS = 2_000_000
_SEEDS_PER_PIECE = 8
_SHRINKAGE = 0.75
_SWEEPS = 2
_LEAST_COUNT = 0.5
_RAREST = 10
"""One in so many pieces is dropped at once for being too rare."""


def learn_unigram(words: Mapping[str, int], vocabulary: int, min_frequency: int = 1) -> dict[str, float]:
    """The pieces of a Unigram model and the natural logarithms of their probabilities, the likeliest first.

    Frequent substrings are the first pieces. Expectation-maximisation fits their probabilities, and in each round the
    quarter of the pieces whose loss lowers the likelihood least is dropped, until ``vocabulary`` pieces are left, all
    of them expected in the words. Then pieces that are rarer than ``min_frequency`` are dropped, the rarest first.
    Single characters are never dropped, so the result is larger than ``vocabulary`` if there are more characters. The
    most frequent words with two million characters in all are used.

    Args:
        words: how often each word occurs.
        vocabulary: number of pieces.
        min_frequency: how often a longer piece is expected in the words at least, rounded.

    >>> list(learn_unigram({"abab": 5, "ab": 5}, 3))[0]
    'ab'
    """
    kept = _most_frequent(words)
    if not kept:
        return {}
    counts = np.array([words[word] for word in kept], float)
    pieces, lattice, seen = _seeds(kept, counts, vocabulary)
    own = {piece: number for number, piece in enumerate(pieces)}
    inner = Lattice.of(np.array([len(piece) for piece in pieces]), substring_edges(pieces, own))
    single = np.array([len(piece) == 1 for piece in pieces])
    scores = np.log(seen / seen.sum())
    while True:
        for _ in range(_SWEEPS):
            expected = expected_counts(lattice, scores, counts)
            scores = _maximised(expected)
        useful = single | (expected >= _LEAST_COUNT)
        rare = ~single & (expected < min_frequency - _LEAST_COUNT)
        few = useful.all() and (single.all() or len(pieces) <= vocabulary)
        if few and not rare.any():
            break
        loss = np.where(single, np.inf, expected * (scores - log_sums(inner, scores)[inner.ends]))
        stay = max(vocabulary, int(len(pieces) * _SHRINKAGE), int(single.sum()))
        chosen = np.zeros(len(pieces), bool)
        chosen[np.argsort(-loss, kind="stable")[:stay]] = True
        chosen &= useful
        if few:
            # A few at a time, for what is left becomes more frequent.
            rarest = np.argsort(np.where(single, np.inf, expected), kind="stable")[: -(-len(pieces) // _RAREST)]
            chosen[rarest[rare[rarest]]] = False
        pieces = [piece for piece, stays in zip(pieces, chosen, strict=True) if stays]
        lattice, single, scores = lattice.keeping(chosen), single[chosen], scores[chosen]
        inner = _without(inner, chosen)
    # Rounded, so that the last bits of a library's logarithm decide nothing.
    ranked = sorted((-round(float(score), 6), piece) for score, piece in zip(scores, pieces, strict=True))
    return {piece: -score for score, piece in ranked}


def _maximised(expected: np.ndarray) -> np.ndarray:
    """Logarithms of the probabilities; the digamma function takes more from rare pieces than a logarithm would."""
    bounded = np.maximum(expected, _LEAST_COUNT)
    return digamma(bounded) - digamma(bounded.sum())


def _without(inner: Lattice, chosen: np.ndarray) -> Lattice:
    """The graph of the pieces themselves, after some of them are dropped, both as words and as parts of words."""
    lengths = inner.ends - inner.starts
    node_stays = np.repeat(chosen, lengths + 1)
    number, piece = np.cumsum(node_stays) - 1, np.cumsum(chosen) - 1
    edges = inner.forward.taken(node_stays[inner.forward.first] & chosen[inner.forward.piece])
    return Lattice.of(lengths[chosen], Edges(number[edges.first], number[edges.last], piece[edges.piece]))


def _most_frequent(words: Mapping[str, int]) -> list[str]:
    ranked = sorted((word for word in words if word), key=lambda word: (-words[word], word))
    total = np.cumsum([len(word) for word in ranked])
    return sorted(ranked[: max(1, int((total <= _MOST_CHARACTERS).sum()))])


def _seeds(words: list[str], counts: np.ndarray, vocabulary: int) -> tuple[list[str], Lattice, np.ndarray]:
    """The first pieces, their occurrences in the words, and their frequencies.

    All characters, and of the substrings that occur twice those with the highest product of frequency and length.
    """
    lengths = np.array([len(word) for word in words])
    codes = np.frombuffer("".join(words).encode("utf-32-le"), np.uint32).astype(np.int64)
    bounds = np.concatenate([[0], np.cumsum(lengths)])
    word_of = np.repeat(np.arange(len(words)), lengths)
    found = _substrings(codes, bounds[1:][word_of], counts[word_of])
    size = np.concatenate([np.full(len(seen), length) for length, _, _, seen, _ in found])
    seen = np.concatenate([seen for *_, seen, _ in found])
    example = np.concatenate([example for *_, example in found])
    rank = np.where(size == 1, np.inf, seen * size)
    order = np.lexsort((example, size, -rank))
    most = int((size == 1).sum()) + _SEEDS_PER_PIECE * vocabulary
    number = np.full(len(size), -1)
    number[order[:most]] = np.arange(len(order[:most]))
    text, edges, base = "".join(words), [], 0
    for length, places, local, frequency, _ in found:
        piece = number[base + local]
        base += len(frequency)
        node = places[piece >= 0] + word_of[places[piece >= 0]]
        edges.append((node, node + length, piece[piece >= 0]))
    pieces = [text[example[chosen] : example[chosen] + size[chosen]] for chosen in order[:most]]
    joined = Edges(*(np.concatenate(column) for column in zip(*edges, strict=True)))
    return pieces, Lattice.of(lengths, joined), seen[order[:most]]


def _substrings(
    codes: np.ndarray, ends: np.ndarray, weights: np.ndarray
) -> list[tuple[int, np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Substrings of each length up to ``LONGEST`` that occur at least twice, and all single characters.

    Args:
        codes: (characters) of all words, one word after the other.
        ends: (characters) where the word of each character ends.
        weights: (characters) how often the word of each character occurs.

    Returns:
        For each length: the length, the places of its substrings, the number of the substring at each place, and of
        each substring its frequency and an example of its place.
    """
    places, local = np.arange(len(codes)), np.zeros(len(codes), np.int64)
    number_of = np.zeros(len(codes), np.int64)
    found = []
    for length in range(1, LONGEST + 1):
        places = places[places + length <= ends[places]]
        key = number_of[places] * 0x110000 + codes[places + length - 1]
        _, example, local = np.unique(key, return_index=True, return_inverse=True)
        frequency = np.bincount(local, weights[places], len(example))
        enough = frequency >= (0 if length == 1 else 2)
        renumbered = np.cumsum(enough) - 1
        examples = places[example[enough]]
        stays = enough[local]
        places, local = places[stays], renumbered[local[stays]]
        if not len(places):
            break
        number_of[places] = local
        found.append((length, places, local, frequency[enough], examples))
    return found
