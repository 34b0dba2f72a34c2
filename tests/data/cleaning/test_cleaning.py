"""Cleaning: every predicate on hand-made pairs, and the keys and skeletons under them."""

import random

import numpy as np
import pyarrow as pa
import pytest

from optical.data.bitext.config import CleaningConfig
from optical.data.bitext.shards import CHECKED
from optical.data.cleaning.codepoints import script_shares, skeletons
from optical.data.cleaning.keys import hashes, pair_keys
from optical.data.cleaning.leaks import HeldOut
from optical.data.cleaning.predicates import Cleaning, clean
from optical.errors import UserError

PASSAGE = "The river Nile flows north through eleven countries."
HELD_OUT = HeldOut.of(
    {
        "nile": [PASSAGE, "Mto Naili unapita wapi?", "Who knows?", "Nani anajua?"],
        "other": ["Who knows?", "Is it on it?", "Questions unanswered", "Uncharacteristically"],
    }
)


def table(*pairs: tuple[str, str], reason: str | None = None) -> pa.Table:
    rows = [
        {"dataset": "toy", "position": place, "source": source, "target": target, "reason": reason}
        for place, (source, target) in enumerate(pairs)
    ]
    return pa.Table.from_pylist(rows, schema=CHECKED)


def reasons(*pairs: tuple[str, str], source: str = "swa", passages: bool = False, **config) -> list[str | None]:
    rules = Cleaning(CleaningConfig(**config), HELD_OUT, passages)
    return clean(table(*pairs), source, "eng", rules)["reason"].to_pylist()


def test_a_good_pair_stays_and_a_broken_one_keeps_its_reason():
    assert reasons(("Habari ya leo", "How is today")) == [None]
    broken = table((None, "x"), ("same", "same"), reason="missing")
    cleaned = clean(broken, "swa", "eng", Cleaning())
    assert cleaned.select(CHECKED.names) == broken
    assert cleaned["near_key"].to_pylist() == [0, 0]
    assert len(clean(table(), "swa", "eng", Cleaning())) == 0


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("GOOBAMA!", "Goobama"), "identical"),
        (("2011 - 2012", "2011-2012"), "identical"),
        (("Paris", "London"), None),
    ],
)
def test_identical_sides(pair: tuple[str, str], reason: str | None):
    assert reasons(pair) == [reason]
    assert reasons(pair, drop_identical=False) == [None]


def test_a_side_in_another_script():
    hindi, mixed = "\u0928\u092e\u0938\u094d\u0924\u0947", "COVID SARS \u0928\u092e\u0938\u094d\u0924\u0947\u0928"
    pairs = [("Habari", "hello"), (hindi, "hello"), ("Habari", hindi), ("1999", "in 1999")]
    assert reasons(*pairs) == [None, "script", "script", None]
    assert reasons(*pairs, min_script_share=0) == [None] * 4
    assert reasons((mixed, "hello"), source="mar") == ["script"]
    assert reasons((mixed, "hello"), source="mar", min_script_share=0.3) == [None]
    assert reasons(("ab \u0431\u0430", "hello")) == [None], "half is enough"
    with pytest.raises(UserError, match="language 'xyz': not in the languages table"):
        reasons((hindi, "hello"), source="xyz")


def test_marks_of_the_script_are_letters_and_others_are_nothing():
    assert script_shares(["\u0915\u0940 ab"], "Deva") == [0.5], "a vowel sign"
    assert script_shares(["\u0915\u0940 ab"], "Latn") == pytest.approx([2 / 3])
    assert script_shares(["a\u0300b \u0633\u064b"], "Latn") == pytest.approx([2 / 3]), "an accent of no script"


def test_every_known_script_has_its_letters():
    samples = {
        "Arab": "\u0633\u0644\u0627",
        "Beng": "\u09a8\u09ae",
        "Cyrl": "\u043c\u0438\u0440",
        "Deva": "\u0928\u092e",
        "Ethi": "\u1230\u120b",
        "Grek": "\u03b3\u03b5\u03ac",
        "Hang": "\uc548\ub155",
        "Hans": "\u4f60\u597d",
        "Jpan": "\u3053\u30d3\u30fc\u65e5",
        "Khmr": "\u179f\u17bd",
        "Latn": "b\u00e9\u1e63\u01b4",
        "Mymr": "\u1019\u1004",
        "Taml": "\u0bb5\u0ba3",
        "Telu": "\u0c28\u0c2e",
        "Thai": "\u0e2a\u0e27",
    }
    for script, sample in samples.items():
        shares = {other: script_shares([sample], other)[0] for other in samples}
        assert shares.pop(script) == 1, script
        assert max(share for other, share in shares.items() if {script, other} - {"Hans", "Jpan", "Hang"}) == 0
    with pytest.raises(UserError, match="script 'Xsux': not one of Adlm, Arab"):
        script_shares(["x"], "Latn", "Xsux")


def test_shares_are_counted_sentence_by_sentence():
    assert script_shares(["ab", "", "a\u0431", "\u0431", "9", "\U000e0041"], "Latn").tolist() == [1, 1, 0.5, 0, 1, 1]


def test_the_skeleton_keeps_letters_marks_and_digits():
    assert skeletons(["It's  2 p.m.", "\u00c9t\u00e9 \ufb01n", "e\u0301", "\u0915\u093f!", "...", ""]) == [
        "its2pm", "\u00e9t\u00e9fin", "\u00e9", "\u0915\u093f", "", "",
    ]  # fmt: skip
    assert skeletons(["\uff11\uff12", "x\u00b2"]) == ["12", "x2"]
    assert skeletons(["Stra\u00dfe"]) == skeletons(["STRASSE"])
    assert skeletons([]) == []


def test_keys_tell_sides_and_texts_apart():
    first, second = hashes(["a", "b"]), hashes(["b", "a"])
    assert len({*first.tolist(), *pair_keys(first, second).tolist()}) == 4
    assert hashes(["habari"]).tolist() == [1818354204294195458]


@pytest.mark.parametrize(
    ("pair", "reason"),
    [
        (("Maneno mengine kabisa hapa", PASSAGE.upper()), "contaminated"),
        (("mto naili unapita wapi", "Something else"), "contaminated"),
        (("Nani anajua?", "Nobody at all"), None),
        (("Hakuna mtu", "Who knows?"), None),
        (("Nani anajua?", "Who knows?"), "contaminated"),
        (("Habari gani", "The river Nile flows"), None),
        (("Habari gani", "Is it on it?"), None),
        (("Habari gani", "Questions unanswered"), None),
        (("Habari gani", "Uncharacteristically"), "contaminated"),
    ],
)
def test_leaks(pair: tuple[str, str], reason: str | None):
    assert reasons(pair) == [reason]
    assert reasons(pair, drop_test_leaks=False) == [None]


def test_a_leak_names_its_collection():
    found = clean(table(("Hakuna", "Who?"), ("x y", PASSAGE)), "swa", "eng", Cleaning(held_out=HELD_OUT))
    assert found["detail"].to_pylist() == [None, "nile"]


def test_a_passage_may_have_other_questions():
    assert reasons(("Where does it flow?", PASSAGE), passages=True) == [None]
    assert reasons(("mto naili unapita wapi", PASSAGE), passages=True) == ["contaminated"]
    assert reasons(("Nani anajua?", "Who knows?"), passages=True) == [None]


def test_nothing_held_out_condemns_nothing():
    assert clean(table(("a", "b")), "swa", "eng", Cleaning())["reason"].to_pylist() == [None]


def test_reasons_have_one_order():
    assert reasons((PASSAGE, PASSAGE)) == ["identical"]
    assert reasons(("\u0928\u092e", PASSAGE)) == ["script"]


def test_equal_pairs_have_equal_keys_and_near_ones_equal_near_keys():
    rng = random.Random()
    word = "".join(rng.choices("abcdefg", k=12))
    pairs = [(word, "one"), (word, "one"), (word.upper() + "!", "One."), (word, "two"), ("one", word)]
    near = clean(table(*pairs), "swa", "eng", Cleaning())
    assert near["near_key"][0] == near["near_key"][1] == near["near_key"][2]
    assert near["exact_key"][0] == near["exact_key"][1]
    assert len(set(near["near_key"].to_pylist())) == 3
    assert len(set(near["exact_key"].to_pylist())) == 4
    exact = clean(table(*pairs), "swa", "eng", Cleaning(CleaningConfig(duplicates="exact")))
    assert exact["near_key"] == exact["exact_key"]


@pytest.fixture
def detector(monkeypatch: pytest.MonkeyPatch):
    """A stand-in for CLD2 that takes a text for the language of its first word."""
    import sys
    from types import SimpleNamespace

    from optical.data.cleaning import language

    def detect(text: str) -> tuple:
        if text.startswith("bad"):
            raise ValueError
        code = text.split()[0]
        return not code.endswith("?"), len(text), ((code, code.rstrip("?"), 99, 0.0),)

    stand_in = SimpleNamespace(detect=detect, error=ValueError, LANGUAGES=(("SWAHILI", "sw"), ("ENGLISH", "en")))
    monkeypatch.setitem(sys.modules, "pycld2", stand_in)
    language._known.cache_clear()
    yield
    language._known.cache_clear()


@pytest.mark.usefixtures("detector")
def test_a_side_in_another_language():
    pairs = [("sw x", "en y"), ("en x", "en y"), ("sw x", "sw y"), ("un x", "un y"), ("en? x", "en y"), ("bad", "en")]
    assert reasons(*pairs, check_language=True) == [None, "language", "language", None, None, None]
    assert reasons(*pairs) == [None] * 6
    assert reasons(("en x", "en y"), source="bem", check_language=True) == [None], "CLD2 does not know Bemba"


def test_a_missing_detector_is_named(monkeypatch: pytest.MonkeyPatch):
    import sys

    from optical.data.cleaning import language

    monkeypatch.setitem(sys.modules, "pycld2", None)
    language._known.cache_clear()
    with pytest.raises(UserError, match="check_language: needs the package pycld2; pip install pycld2"):
        reasons(("a b", "c d"), check_language=True)


def test_held_out_texts_are_sorted_and_the_first_collection_keeps_a_shared_one():
    assert (np.diff(HELD_OUT.keys.astype(object)) > 0).all()
    place = np.flatnonzero(HELD_OUT.keys == hashes(["whoknows"])[0])
    assert [HELD_OUT.names[number] for number in HELD_OUT.numbers[place]] == ["nile"]
