"""IBM Model 1 on words: a case computed by hand, an independent implementation, and what is left out."""

from collections import defaultdict
from fractions import Fraction

import numpy as np
import pytest

from optical.data.lexicon import model1 as module
from optical.data.lexicon.model1 import EMPTY, model1

HOUSE_AND_BOOK = [["das", "haus"], ["das", "buch"]], [["the", "house"], ["the", "book"]]


def _table(found) -> dict[tuple[str, str], float]:
    return dict(zip(zip(found.source, found.target, strict=True), found.probability, strict=True))


def _reference(sources, targets, sweeps) -> dict[tuple[str, str], Fraction]:
    """The equations of Brown et al. in exact arithmetic, from uniform probabilities."""
    table = defaultdict(lambda: Fraction(1))
    for _ in range(sweeps):
        count, total = defaultdict(Fraction), defaultdict(Fraction)
        for source, target in zip(sources, targets, strict=True):
            for word in target:
                norm = sum(table[other, word] for other in (EMPTY, *source))
                for other in (EMPTY, *source):
                    share = table[other, word] / norm
                    count[other, word] += share
                    total[other] += share
        table = {pair: value / total[pair[0]] for pair, value in count.items()}
    return table


def test_two_sentences_by_hand():
    one = _table(model1(*HOUSE_AND_BOOK, sweeps=1, least_pairs=1))
    assert one["das", "the"] == pytest.approx(1 / 2) and one["das", "house"] == pytest.approx(1 / 4)
    assert one["haus", "the"] == one["haus", "house"] == pytest.approx(1 / 2)
    two = _table(model1(*HOUSE_AND_BOOK, sweeps=2, least_pairs=1))
    # `the` is shared by three words of 1/2 each, `house` by 1/4, 1/4 and 1/2.
    expected = {("das", "the"): 4 / 7, ("das", "house"): 3 / 14, ("haus", "the"): 2 / 5, ("haus", "house"): 3 / 5}
    assert {pair: two[pair] for pair in expected} == pytest.approx(expected)
    assert two[EMPTY, "the"] == pytest.approx(4 / 7)


def test_it_agrees_with_the_equations_also_where_words_repeat(monkeypatch):
    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 2)
    monkeypatch.setattr(module, "_POSTINGS_AT_ONCE", 3)
    draw = np.random.default_rng(0)
    sources = [[f"s{number}" for number in draw.integers(0, 6, draw.integers(1, 6))] for _ in range(9)]
    targets = [[f"t{number}" for number in draw.integers(0, 6, draw.integers(0, 6))] for _ in range(9)]
    found = _table(model1(sources, targets, sweeps=4, least_pairs=1))
    expected = {pair: float(value) for pair, value in _reference(sources, targets, 4).items()}
    assert found == pytest.approx(expected)


def test_probabilities_of_a_word_add_up_and_are_ordered():
    found = model1(*HOUSE_AND_BOOK, sweeps=3, least_pairs=1)
    for word in set(found.source):
        mine = found.probability[found.source == word]
        assert mine.sum() == pytest.approx(1) and (np.diff(mine) <= 0).all()


def test_words_that_are_together_in_one_pair_only_have_no_probability():
    found = _table(model1(*HOUSE_AND_BOOK, sweeps=3, least_pairs=2))
    assert set(found) == {("das", "the"), (EMPTY, "the"), (EMPTY, "house"), (EMPTY, "book")}


@pytest.mark.parametrize("pairs", [([], []), ([["a"]], [[]]), ([[]], [["a"]])])
def test_nothing_to_learn_from_gives_no_translation(pairs):
    assert [source for source in model1(*pairs, sweeps=2).source if source != EMPTY] == []
