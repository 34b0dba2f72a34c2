"""Extending a vocabulary of any kind: old ids keep their meaning, and the new language takes fewer tokens."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

from optical.errors import DataError
from optical.model.vocabulary import unigram
from optical.model.vocabulary.extension import extend
from optical.model.vocabulary.parts import contents, counted_words
from optical.model.vocabulary.tokenizer import learn_wordpiece, vocabulary_size
from optical.model.vocabulary.unigram_learning import learn_unigram
from tests.model.vocabulary.tiny import ENGLISH, FRENCH, HINDI, SWAHILI, of_roberta, of_xlmr

MAKERS = {
    "WordPiece": lambda: learn_wordpiece(ENGLISH * 5, 200),
    "Unigram": of_xlmr,
    "BPE": of_roberta,
    "BPE, composing": lambda: of_roberta(composing=True),
}
MADE = {kind: make() for kind, make in MAKERS.items()}
EXTENDED = {kind: extend(old, (SWAHILI + HINDI) * 3, 120) for kind, old in MADE.items()}
AS_IN_OLD_TIMES = [
    *ENGLISH,
    "  two  spaces ",
    "",
    "qwertz",
    "</s>[Q] x",
    "2012 12; 8!",
    "xyz \U0001f600 \u4e2d",
]


def tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.encode(text, add_special_tokens=False).tokens


@pytest.mark.parametrize("kind", MADE)
def test_every_old_id_keeps_its_meaning_and_new_ids_follow(kind: str):
    old, new = MADE[kind].get_vocab(), EXTENDED[kind].get_vocab()
    assert {piece: new[piece] for piece in old} == old
    assert sorted(new.values()) == list(range(vocabulary_size(EXTENDED[kind])))
    assert len(new) > len(old) + 20
    assert all(EXTENDED[kind].id_to_token(number) == piece for piece, number in old.items())


@pytest.mark.parametrize("kind", MADE)
def test_rare_pieces_are_left_out_on_request(kind: str):
    texts = [*["mtoto anasoma kitabu"] * 9, "simba analala"]
    every, frequent = (extend(MADE[kind], texts, 150, least).get_vocab() for least in (1, 5))
    old = MADE[kind].get_vocab()
    assert len(old) < len(frequent) < len(every)
    assert any("toto" in piece for piece in frequent if piece not in old)
    longer = [piece for piece in frequent if piece not in old and len(piece.strip("\u2581\u0120#")) > 2]
    assert not [piece for piece in longer if piece.strip("\u2581\u0120#") not in texts[0]]


@pytest.mark.parametrize("kind", MADE)
def test_the_new_language_takes_fewer_tokens_and_the_old_ones_are_read_as_before(kind: str):
    old, new = MADE[kind], EXTENDED[kind]
    for text in AS_IN_OLD_TIMES + (FRENCH if kind != "WordPiece" else []):
        assert new.encode(text).ids == old.encode(text).ids, text
        assert new.encode(text, text).ids == old.encode(text, text).ids, text
    for text in SWAHILI + HINDI:
        assert len(new.encode(text).ids) <= 0.6 * len(old.encode(text).ids) or kind == "WordPiece", text
        assert not {"<unk>", "[UNK]"}.intersection(new.encode(text).tokens)


@pytest.mark.parametrize("kind", MADE)
def test_special_tokens_and_switches_are_those_of_the_old_tokenizer(kind: str):
    old, new = contents(MADE[kind]), contents(EXTENDED[kind])
    assert new["post_processor"] == old["post_processor"]
    assert new["added_tokens"] == old["added_tokens"]
    if kind != "WordPiece":
        assert (new["normalizer"], new["pre_tokenizer"]) == (old["normalizer"], old["pre_tokenizer"])
    assert EXTENDED[kind].encode_special_tokens == MADE[kind].encode_special_tokens
    reading = MAKERS[kind]()
    reading.encode_special_tokens = False
    reading.enable_truncation(4)
    reading.enable_padding(length=9)
    again = extend(reading, SWAHILI, 60)
    assert again.truncation is None
    assert again.padding is None
    if kind != "WordPiece":
        mask = again.token_to_id("<mask>")
        assert mask in again.encode("a <mask> b").ids, "a special token that is read as one"


@pytest.mark.parametrize("kind", MADE)
def test_extending_leaves_the_tokenizer_as_it_was_and_can_be_repeated(kind: str):
    tokenizer = MAKERS[kind]()
    before = tokenizer.to_str()
    once = extend(tokenizer, SWAHILI * 3, 60)
    assert tokenizer.to_str() == before
    twice = extend(once, HINDI * 3, 40)
    first, second = once.get_vocab(), twice.get_vocab()
    assert {piece: second[piece] for piece in first} == first
    assert len(second) > len(first) > tokenizer.get_vocab_size()


def test_two_processes_make_the_same_bytes():
    script = (
        "from tests.model.vocabulary.tiny import HINDI, SWAHILI, of_roberta, of_xlmr\n"
        "from optical.model.vocabulary.extension import extend\n"
        "for old in (of_xlmr(), of_roberta()): print(extend(old, (SWAHILI + HINDI) * 3, 120).to_str())\n"
    )
    root = Path(__file__).resolve().parents[3]
    running = [
        subprocess.Popen(
            [sys.executable, "-c", script],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(root)},
            cwd=root,
            stdout=subprocess.PIPE,
        )
        for seed in ("1", "2")
    ]
    first, second = (process.communicate()[0] for process in running)
    assert first.decode().splitlines() == [EXTENDED[kind].to_str() for kind in ("Unigram", "BPE")]
    assert first == second


@pytest.mark.parametrize("kind", MADE)
def test_a_saved_and_loaded_tokenizer_reads_the_same(kind: str, tmp_path: Path):
    EXTENDED[kind].save(str(tmp_path / "tokenizer.json"))
    loaded = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    loaded.encode_special_tokens = True
    assert loaded.get_vocab() == EXTENDED[kind].get_vocab()
    for text in AS_IN_OLD_TIMES + SWAHILI + HINDI:
        assert loaded.encode(text).ids == EXTENDED[kind].encode(text).ids


@pytest.mark.parametrize("kind", ["Unigram", "BPE"])
def test_every_new_piece_is_of_use(kind: str):
    first = vocabulary_size(MADE[kind])
    read = {number for text in SWAHILI + HINDI for number in EXTENDED[kind].encode(text).ids if number >= first}
    new = set(range(first, vocabulary_size(EXTENDED[kind])))
    parts = {piece for pair in contents(EXTENDED[kind])["model"].get("merges", []) for piece in pair}
    assert all(EXTENDED[kind].id_to_token(number) in parts for number in new - read), "read, or part of what is read"


@pytest.mark.parametrize("kind", ["Unigram", "BPE"])
def test_what_is_known_adds_nothing(kind: str):
    assert extend(MADE[kind], ["the water", "the water"], 1).get_vocab() == MADE[kind].get_vocab()
    assert extend(MADE[kind], [], 50).get_vocab() == MADE[kind].get_vocab()
    assert extend(MADE[kind], ["", " "], 50).get_vocab() == MADE[kind].get_vocab()


# Unigram


def test_old_scores_stay_and_new_ones_are_moved_by_one_number():
    old, new = (contents(made["Unigram"])["model"]["vocab"] for made in (MADE, EXTENDED))
    assert new[: len(old)] == old
    words = counted_words(MADE["Unigram"], (SWAHILI + HINDI) * 3, unigram._WORD_PARTS)
    learned = learn_unigram(words, 120)
    shift = unigram.score_shift(dict(old), learned)
    assert shift < -0.1
    added = [(piece, score) for piece, score in new[len(old) :] if piece in learned]
    assert added == [(piece, pytest.approx(max(learned[piece] + shift, -12.0))) for piece, _ in added]
    assert len(added) > 20
    shared = unigram.score_shift({"a": -5.0, "b": -4.0, "c": -9.0}, {"a": -1.0, "b": -2.0, "c": -3.0, "d": -1.0})
    assert shared == -4.0, "differences -4, -2, -6 with weights e^-1, e^-2, e^-3"
    assert unigram.score_shift({"x": -1.0}, {"a": -1.0}) == 0.0


def test_no_new_score_lowers_that_of_unknown_characters():
    old = [("<unk>", 0.0), ("\u2581", -2.0), ("a", -2.0), ("b", -2.0)]
    made = Tokenizer(models.Unigram(old, 0, False))
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    new = contents(extend(made, ["ab ab aba c"] * 9, 9))["model"]["vocab"]
    assert len(new) > 5
    assert min(score for _, score in new) == -2.0


def test_a_piece_of_the_new_language_does_not_outbid_a_piece_of_the_old():
    # The new language writes "theory" often; it must not cut "the" and "theorem" of the old one into other pieces.
    new = extend(of_xlmr(), ["theory ya maji", "hewater na maji", "watoto wa mto"] * 20, 60)
    for text in ENGLISH:
        assert new.encode(text).tokens == MADE["Unigram"].encode(text).tokens


def test_added_tokens_behind_the_pieces_are_no_pieces_of_a_text():
    hidden = {EXTENDED["Unigram"].token_to_id(token) for token in ("[unused0]", "[Q] ")}
    assert not hidden.intersection(EXTENDED["Unigram"].encode("a [unused0] [Q] b").ids)
    assert EXTENDED["Unigram"].encode("qwertz maji").tokens[1] == "qwertz", "an ordinary added token is one"


def test_added_tokens_of_unknown_characters_are_no_pieces_of_a_text_either():
    made = of_xlmr()
    made.add_special_tokens(["\u2045\u2046"])
    extended = extend(made, SWAHILI * 3, 60)
    assert extended.encode("\u2045\u2046 maji").tokens[2:4] == ["\u2045", "\u2046"]


def test_a_learned_piece_has_one_kind_of_character_and_one_word():
    first = vocabulary_size(MADE["Unigram"])
    extended = extend(of_xlmr(), ["ng'ombe 12kg, (maji)mto maji, 12kg"] * 5, 80)
    new = [extended.id_to_token(number) for number in range(first, vocabulary_size(extended))]
    assert any("g'o" in piece for piece in new), "an apostrophe between letters is part of the word"
    for piece in new:
        body = piece.lstrip("\u2581").replace("'", "")
        assert body.isalpha() or body.isdigit() or not any(map(str.isalnum, body)), piece
        assert "\u2581" not in piece[1:]


# Byte-level BPE


def test_old_merges_come_first_and_new_ones_stay_inside_words():
    old, new = (contents(made["BPE"])["model"]["merges"] for made in (MADE, EXTENDED))
    assert new[: len(old)] == old
    assert len({tuple(pair) for pair in new}) == len(new)
    assert all("\u0120" not in "".join(pair)[1:] for pair in new[len(old) :])
    assert all("".join(pair) in EXTENDED["BPE"].get_vocab() for pair in new)


def test_bytes_that_were_never_seen_become_pieces():
    bare = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2, "\u0120": 3}, [("a", "b")]))
    bare.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    extended = extend(bare, ["ab \u00e9ab", "\u00e9 \u00e9ab"], 3)
    assert [extended.id_to_token(number) for number in range(7)] == [
        "a",
        "b",
        "ab",
        "\u0120",
        "\u00a9",
        "\u00c3",
        "\u00c3\u00a9",
    ]
    assert tokens(extended, "\u00e9ab") == ["\u00c3\u00a9", "ab"]
    assert bare.encode("\u00e9ab").tokens == ["ab"]


def test_an_old_merge_is_not_repeated_behind_its_place():
    # Nothing old makes "ab", so learning arrives at the old pair (ab, c) once more.
    vocab = {piece: number for number, piece in enumerate(["a", "b", "c", "d", "ab", "abc", "cd"])}
    made = Tokenizer(models.BPE(vocab, [("ab", "c"), ("c", "d")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    extended = extend(made, ["abc"] * 4, 4)
    assert contents(extended)["model"]["merges"] == [["ab", "c"], ["c", "d"], ["a", "b"]]
    assert tokens(extended, "abc") == ["abc"]


def test_a_merge_does_not_reach_into_the_next_word():
    made = of_roberta()
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    extended = extend(made, ["maji ya maji ya"] * 9, 40)
    assert tokens(extended, "maji ya maji ya") == ["maji", "\u0120ya", "\u0120maji", "\u0120ya"]


def test_bytes_behind_a_split_are_still_bytes():
    made = of_roberta()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(" ", "merged_with_next"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    made.normalizer = normalizers.NFC()
    assert len(extend(made, SWAHILI * 3, 40).get_vocab()) == len(made.get_vocab()) + 40


# Others


def character_bpe(**parts: object) -> Tokenizer:
    made = Tokenizer(models.BPE({"a": 0, "b": 1}, [], **parts))
    made.pre_tokenizer = pre_tokenizers.ByteLevel() if parts else pre_tokenizers.Whitespace()
    return made


@pytest.mark.parametrize(
    ("tokenizer", "name"),
    [
        (Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, unk_token="[UNK]")), "WordLevel"),
        (character_bpe(), "BPE of characters"),
        (Tokenizer(models.BPE()), "BPE of characters"),
        (character_bpe(dropout=0.1), "BPE with dropout"),
        (character_bpe(continuing_subword_prefix="##"), "BPE with continuing_subword_prefix"),
        (character_bpe(end_of_word_suffix="</w>"), "BPE with end_of_word_suffix"),
        (character_bpe(byte_fallback=True), "BPE with byte_fallback"),
    ],
)
def test_other_kinds_are_refused_by_name(tokenizer: Tokenizer, name: str):
    with pytest.raises(DataError, match=f"this one is {name}; set student.vocabulary to 0"):
        extend(tokenizer, SWAHILI, 100)
