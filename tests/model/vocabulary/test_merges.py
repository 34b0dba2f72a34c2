"""Learning merges, against recounting all pairs after every merge."""

import random
from collections import Counter

import pytest

from optical.model.vocabulary.merges import learn_merges


def by_recounting(words: dict[tuple[str, ...], int], known: set[str], most_new: int) -> list[tuple[str, str]]:
    words, made, merges = dict(words), set(known), []
    while len(made) - len(known) < most_new:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, count in words.items():
            for pair in zip(word[:-1], word[1:], strict=True):
                pairs[pair] += count
        frequent = [(-count, pair) for pair, count in pairs.items() if count >= 2 and len("".join(pair)) <= 6]
        if not frequent:
            break
        best = min(frequent)[1]
        merges.append(best)
        made.add("".join(best))
        joined: dict[tuple[str, ...], int] = {}
        for word, count in words.items():
            pieces, place = [], 0
            while place < len(word):
                step = 2 if word[place : place + 2] == best else 1
                pieces.append("".join(word[place : place + step]))
                place += step
            joined[tuple(pieces)] = joined.get(tuple(pieces), 0) + count
        words = joined
    return merges


@pytest.mark.parametrize("seed", range(20))
def test_merges_are_those_of_recounting(seed: int):
    draw = random.Random(seed)
    pieces = ["a", "b", "c", "ab", "ca", "aa"]
    words = {tuple(draw.choices(pieces, k=draw.randint(1, 7))): draw.randint(1, 4) for _ in range(25)}
    found = learn_merges(words, set(pieces), 15, lambda piece: len(piece) <= 6)
    assert found == by_recounting(words, set(pieces), 15)


def test_a_pair_that_occurs_once_is_left_alone():
    assert learn_merges({("a", "b"): 1}, {"a", "b"}, 5, lambda _: True) == []
    assert learn_merges({("a", "b"): 2}, {"a", "b"}, 0, lambda _: True) == []
    assert learn_merges({}, set(), 5, lambda _: True) == []


def test_a_pair_is_merged_from_the_frequency_that_is_asked_for():
    words = {("a", "b"): 5, ("c", "d"): 4}
    assert learn_merges(words, {*"abcd"}, 5, lambda _: True, 5) == [("a", "b")]
    assert learn_merges(words, {*"abcd"}, 5, lambda _: True, 4) == [("a", "b"), ("c", "d")]


def test_a_way_to_an_old_piece_counts_as_no_new_one():
    words = {("a", "bc"): 9, ("x", "y"): 3}
    assert learn_merges(words, {"a", "bc", "abc", "x", "y"}, 1, lambda _: True) == [("a", "bc"), ("x", "y")]
