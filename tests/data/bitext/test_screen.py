"""Reject reasons, one by one, with their order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optical.data.bitext import screen as filters
from optical.data.bitext.config import BitextConfig
from optical.data.bitext.screen import (
    QUESTION_LIMITS,
    REASONS,
    Limits,
    Reject,
    SentencePair,
    excerpt,
    normalise,
    screen,
)
from optical.data.files.open import TooLong

LIMITS = Limits(max_bytes=200, max_characters=50, max_length_ratio=2.0)
GOOD = b"habari ya leo"


@pytest.mark.parametrize(
    ("side", "reason"),
    [
        (b"\xff\xfe", "utf8"),
        (b"\xc0\xaf", "utf8"),
        (b"\xed\xa0\x80", "utf8"),
        (b"cut \xe2\x82", "utf8"),
        ("lone \ud800", "utf8"),
        (None, "missing"),
        (TooLong(10**6), "too_long"),
        (b"", "empty"),
        (b" \t\r ", "empty"),
        ("\u2028\u00a0\u0085".encode(), "empty"),
        ("\ufeff\u200b".encode(), "empty"),
        (b"ha\x00bari", "control"),
        (b"\x00", "control"),
        (b"ha\x07bari", "control"),
        (b"\xc2\x80bari", "control"),
        (b"x" * 51, "too_long"),
        (b"x" * 27, "ratio"),
    ],
)
def test_reason_of_either_side(side: bytes | str | TooLong | None, reason: str):
    assert screen(7, side, GOOD, LIMITS) == Reject(7, reason)
    assert screen(7, GOOD, side, LIMITS) == Reject(7, reason)
    assert reason in REASONS


@pytest.mark.parametrize(
    ("side", "shown"),
    [
        (None, None),
        (TooLong(1_234_567), "(1,234,567 bytes)"),
        ("a\tb\x00c", "a b\ufffdc"),
        (b"cut \xe2\x82", "cut \ufffd"),
        ("lone \ud800", "lone \ufffd"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "\u2026"),
        (" " * 320 + "x", "\u2026"),
    ],
)
def test_an_excerpt_is_one_printable_line(side: bytes | str | TooLong | None, shown: str | None):
    assert excerpt(side) == shown
    if side is not None:
        assert screen(0, side, b"\xff", LIMITS).source == shown


def test_bounds_are_inclusive():
    assert isinstance(screen(0, b"x" * 50, b"y" * 25, LIMITS), SentencePair)
    assert screen(0, b"x" * 50, b"y" * 24, LIMITS) == Reject(0, "ratio")


def test_short_pairs_are_exempt_from_the_ratio():
    assert isinstance(screen(0, b"x" * 19, b"y", LIMITS), SentencePair)
    assert screen(0, b"x" * 20, b"y", LIMITS) == Reject(0, "ratio")


def test_a_wide_character_counts_twice_in_the_ratio():
    assert isinstance(screen(0, "\u4f60\uac00\u3042" * 4, b"y" * 48, LIMITS), SentencePair)
    assert screen(0, "\u4f60\uac00\u3042" * 4, b"y" * 49, LIMITS) == Reject(0, "ratio")
    assert screen(0, "\u0928\u00e9\u0436" * 4, b"y" * 48, LIMITS) == Reject(0, "ratio")


def test_reasons_have_one_order():
    order = [b"\xff", None, TooLong(999), b"", b"a\x00", b"x" * 51, b"x" * 27]
    reasons = ["utf8", "missing", "too_long", "empty", "control", "too_long", "ratio"]
    for i, side in enumerate(order):
        for later in order[i:]:
            expected = Reject(0, reasons[i])
            if side == later == b"x" * 27:
                continue
            assert screen(0, side, later, LIMITS) == expected, (side, later)


def test_length_is_counted_after_normalisation():
    assert isinstance(screen(0, b"a" + b" " * 150 + b"b", b"c d", LIMITS), SentencePair)


def test_unicode_separators_become_one_space_and_nfc():
    assert normalise("a\u2028b\u0085\x0cc\td\u00a0 e ") == "a b c d e"
    assert normalise("e\u0301") == "\u00e9"


def test_joiners_of_indic_scripts_survive():
    assert normalise("\u0930\u094d\u200d\u092f") == "\u0930\u094d\u200d\u092f"


def test_a_question_may_be_much_shorter_than_its_passage():
    assert screen(0, b"Who?", b"word " * 200, Limits()) == Reject(0, "ratio")
    assert isinstance(screen(0, b"Who?", b"word " * 200, QUESTION_LIMITS), SentencePair)


def test_limits_of_a_recipe():
    limits = Limits.of(BitextConfig(datasets=("demo",), max_characters=100_000, max_length_ratio=3.0))
    assert limits == Limits(1_600_000, 100_000, 3.0)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=60), st.binary(max_size=60))
def test_an_accepted_pair_is_clean_and_screening_it_again_changes_nothing(source: bytes, target: bytes):
    pair = screen(3, source, target, LIMITS)
    if isinstance(pair, SentencePair):
        assert "\n" not in pair.source and "\t" not in pair.target
        assert screen(3, pair.source.encode(), pair.target.encode(), LIMITS) == pair
    else:
        assert pair.reason in REASONS


PLAIN = st.lists(st.sampled_from(["a", "b", " ", "  ", "\u00e9", "e\u0301"]), max_size=6).map("".join)
ODD = st.text(st.sampled_from([*" \t\u00a0\u2028\u200d\ufeff\x00\x85a\u0301\u0928\u4f60\u1100\u1161"]), max_size=8)
SIDES = st.one_of(PLAIN, ODD, st.text(max_size=12))


@settings(max_examples=400, deadline=None)
@given(source=SIDES, target=SIDES)
def test_the_short_way_round_normalisation_ends_where_the_long_one_does(source: str, target: str):
    short = screen(0, source, target, LIMITS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(filters, "_settled", lambda text: False)
        assert screen(0, source, target, LIMITS) == short
