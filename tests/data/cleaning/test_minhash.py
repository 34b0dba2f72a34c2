"""MinHash beside the Jaccard similarity it stands for, computed by brute force."""

import random

import numpy as np
import pyarrow as pa
import pytest

from optical.data.bitext.config import CleaningConfig
from optical.data.bitext.shards import CHECKED
from optical.data.cleaning.minhash import BANDS, ROWS, band_keys
from optical.data.cleaning.predicates import NEAR, Cleaning, clean

LETTERS = "abcdefghijklmnopqrstuvwxyz\u0928\u4f60\U0001d400"
Pair = tuple[str, str]


def shingles(pair: Pair) -> set[tuple[int, str]]:
    """Runs of five characters of either side, the last ones shorter."""
    return {(side, text[place : place + 5]) for side, text in enumerate(pair) for place in range(len(text))}


def jaccard(one: Pair, other: Pair) -> float:
    first, second = shingles(one), shingles(other)
    return len(first & second) / len(first | second) if first | second else 1.0


def drawn(rng: random.Random, length: int = 60) -> Pair:
    return tuple("".join(rng.choices(LETTERS, k=length)) for _ in range(2))


def edited(rng: random.Random, pair: Pair, edits: int) -> Pair:
    sides = [list(side) for side in pair]
    for _ in range(edits):
        side = rng.choice(sides)
        side[rng.randrange(len(side))] = rng.choice(LETTERS)
    return tuple(map("".join, sides))


def meet(ones: list[Pair], others: list[Pair]) -> np.ndarray:
    """Which pairs share a band."""
    return (band_keys(*zip(*ones, strict=True)) == band_keys(*zip(*others, strict=True))).any(axis=1)


@pytest.mark.parametrize("edits", [1, 2, 4, 7, 12, 40])
def test_pairs_meet_as_often_as_their_similarity_says(edits: int):
    rng = random.Random(edits)
    ones = [drawn(rng) for _ in range(1500)]
    others = [edited(rng, one, edits) for one in ones]
    similarity = np.array([jaccard(one, other) for one, other in zip(ones, others, strict=True)])
    expected = (1 - (1 - similarity**ROWS) ** BANDS).mean()
    assert meet(ones, others).mean() == pytest.approx(expected, abs=0.04)


def test_equal_sets_always_meet_and_distant_ones_never():
    rng = random.Random(0)
    ones = [drawn(rng, rng.choice([0, 1, 3, 4, 5, 30])) for _ in range(300)]
    assert meet(ones, ones).all()
    assert meet([("abababababab", "c")], [("abababab", "c")]).all(), "a shingle counts once"
    strangers = [drawn(rng) for _ in range(2000)]
    assert not meet(strangers[:-1], strangers[1:]).any()
    assert not meet(strangers, [pair[::-1] for pair in strangers]).any(), "the sides are told apart"


def test_a_pair_has_its_keys_in_any_company():
    rng = random.Random(1)
    pairs = [drawn(rng, rng.choice([0, 2, 17, 40])) for _ in range(1300)]
    together = band_keys(*zip(*pairs, strict=True))
    for start, end in ((0, 1), (1, 7), (511, 514), (700, 1300)):
        assert np.array_equal(band_keys(*zip(*pairs[start:end], strict=True)), together[start:end])
    assert band_keys([], []).shape == (0, BANDS)
    assert together.dtype == np.uint64
    assert band_keys(["habari"], ["hello"])[0, 0] == 106693535575853341


def test_the_keys_of_a_block_are_lists():
    rows = [("Habari ya leo", "How are you", None), (None, "x", "missing"), ("habari, ya LEO!", "how are you?", None)]
    names = ("source", "target", "reason")
    block = pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=CHECKED)
    one, none, other = clean(block, "swa", "eng", Cleaning(CleaningConfig(duplicates="minhash")))[NEAR].to_pylist()
    assert none == [0] * BANDS
    assert one == other == band_keys(["habariyaleo"], ["howareyou"])[0].tolist()
