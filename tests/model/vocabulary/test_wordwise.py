"""Word by word or sentence by sentence: the ids are the same."""

import json
from functools import cache

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from optical.model.text.roles import Role, Roles, RoleSettings
from optical.model.text.tokens import IDS
from optical.model.vocabulary import wordwise as wordwise_module
from optical.model.vocabulary.tokenizer import extend_wordpiece, learn_wordpiece
from optical.model.vocabulary.wordwise import WordwiseTokenizer
from tests.readers import reader

TEXTS = ["the child drinks water", "the water isn't cold, is it?", "mtoto anakunywa maji; maji ni baridi"] * 5
LETTERS = ["मुले मूल", "ọkọ̀ Việt", "maße ΟΔΟΣ ος", "می\u200cروم र्\u200dय", "ilık İl"] * 3
TOKENIZER = learn_wordpiece(TEXTS + LETTERS, 220)
# What could join or part words: accents alone, wide and format characters, special tokens, other white space.
PIECES = [*" \t\u00a0\u2028.,'-", "[MASK]", "[ MASK ]", "##s", "\u0301", "e\u0301", "\u4f60\u597d", "\u200d", "\u0130"]
PIECES += ["\u03a3\u03a3", "\uac00", "\x00", "\ufffd", "x" * 120, "the", "water", "maji", "WATER"]
PIECES += ["मुले", "र्", "\u200c", "می", "Vie\u0323\u0302t", "ọkọ̀", "ß", "ς", "i\u0307", "\u1161", "กา" * 60, "\ufe0f"]
SENTENCES = st.lists(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=8).map("".join), max_size=6)


MARKER = "[MASK]"
OVERWRITTEN = RoleSettings(marker=MARKER, prefix=". ", overwrites=True)
ROLES = [
    Roles(),
    Roles(document=RoleSettings(marker=MARKER), query=RoleSettings(marker=MARKER, expand_to=8)),
    Roles(query=RoleSettings(prefix="Water is: "), document=RoleSettings(prefix="mtoto ")),
    Roles(query=RoleSettings(marker=MARKER, prefix="the water, "), document=RoleSettings(prefix="  ")),
    Roles(query=OVERWRITTEN, document=OVERWRITTEN),
]


def directly(tokenizer: Tokenizer, sentences: list[str]) -> list[list[int]]:
    return [encoding.ids for encoding in tokenizer.encode_batch_fast(sentences)]


@settings(max_examples=300, deadline=None)
@given(
    kind=st.integers(0, 3),
    blocks=st.lists(SENTENCES, max_size=3),
    most_words=st.sampled_from([0, 3, 1000]),
)
def test_the_ids_are_those_of_the_tokenizer(kind: int, blocks: list[list[str]], most_words: int):
    tokenizer = of_each_kind()[kind]
    wordwise = WordwiseTokenizer(reader(tokenizer), "query", most_words)
    assert wordwise.by_words
    for sentences in blocks:
        found = wordwise.encode(pa.array(sentences, pa.string()))
        assert found.type == IDS
        assert found.to_pylist() == directly(tokenizer, sentences)


@settings(max_examples=300, deadline=None)
@given(
    kind=st.integers(0, 3),
    roles=st.sampled_from(ROLES),
    role=st.sampled_from(["query", "document"]),
    sentences=SENTENCES,
)
def test_the_ids_are_those_of_the_reader_in_every_role(kind: int, roles: Roles, role: Role, sentences: list[str]):
    known = reader(of_each_kind()[kind]).with_roles(roles)
    wordwise = WordwiseTokenizer(known, role)
    assert wordwise.by_words
    found = wordwise.encode(pa.array(sentences, pa.string())).to_pylist()
    assert found == known.encode(sentences, role).to_pylist()
    # What the reader itself gives: special tokens, marker, prefix and text read together by the tokenizer.
    frame, prefix = known.frames[role], roles.of(role).prefix
    own = len(known.tokenizer.encode(prefix, add_special_tokens=False).ids)
    for ids, text in zip(found, sentences, strict=True):
        together = known.tokenizer.encode(prefix + text, add_special_tokens=False).ids
        assert ids == [*frame.before, *together[own:], *frame.after]


@pytest.mark.parametrize("prefix", ["the", "query:", "a\u00a0"])
def test_a_prefix_that_ends_inside_a_word_is_read_with_the_sentence(prefix: str):
    known = reader(TOKENIZER).with_roles(Roles(query=RoleSettings(prefix=prefix)))
    wordwise = WordwiseTokenizer(known, "query")
    assert not wordwise.by_words
    assert WordwiseTokenizer(known, "document").by_words
    assert wordwise.encode(pa.array(["water", "is"])).to_pylist() == known.encode(["water", "is"], "query").to_pylist()


def test_an_added_token_with_a_space_hinders_only_if_it_is_looked_for():
    tokenizer = changed()
    tokenizer.add_special_tokens(["[Q] "])
    tokenizer.encode_special_tokens = True
    roles = Roles(query=RoleSettings(marker="[Q] "))
    wordwise = WordwiseTokenizer(reader(tokenizer).with_roles(roles), "query")
    assert wordwise.by_words
    texts = ["[Q] the water", "water [Q]  is"]
    assert (
        wordwise.encode(pa.array(texts)).to_pylist()
        == reader(tokenizer).with_roles(roles).encode(texts, "query").to_pylist()
    )
    tokenizer.encode_special_tokens = False
    assert not WordwiseTokenizer(reader(tokenizer).with_roles(roles), "query").by_words


def test_a_word_is_tokenised_once(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def counting(tokenizer: Tokenizer, texts: list[str]) -> pa.ListArray:
        asked.extend(texts)
        return lists(tokenizer, texts)

    lists = wordwise_module._lists
    monkeypatch.setattr(wordwise_module, "_lists", counting)
    wordwise = WordwiseTokenizer(reader(TOKENIZER), "query", most_words=4)
    for words in ("the water the", "water is the", "is cold now", "the"):
        wordwise.encode(pa.chunked_array([[words], []], pa.string()))
    assert asked == ["the", "water", "is", "cold", "now", "the"], "five are too many, and all were forgotten"


def changed(**parts: object) -> Tokenizer:
    tokenizer = Tokenizer.from_str(TOKENIZER.to_str())
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


@cache
def of_each_kind() -> list[Tokenizer]:
    """As learned here, as BERT has it, and extended from teachers that fold case and that do not."""
    bert, cased = (changed(normalizer=normalizers.BertNormalizer(lowercase=lower)) for lower in (True, False))
    for teacher in (bert, cased):
        teacher.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return [TOKENIZER, bert, extend_wordpiece(bert, LETTERS, 200), extend_wordpiece(cased, LETTERS, 200)]


def with_spaces_in_a_token() -> Tokenizer:
    tokenizer = changed()
    tokenizer.add_tokens(["the water"])
    return tokenizer


def byte_pairs() -> Tokenizer:
    return Tokenizer(models.BPE({"a": 0, "b": 1, " ": 2, "b ": 3, "[PAD]": 4}, [("b", " ")]))


@pytest.mark.parametrize(
    "tokenizer",
    [
        with_spaces_in_a_token(),
        changed(normalizer=normalizers.Replace(" water", "water")),
        changed(pre_tokenizer=pre_tokenizers.Metaspace()),
        changed(post_processor=processors.TemplateProcessing(single="$A $A")),
        byte_pairs(),
    ],
)
def test_others_are_asked_sentence_by_sentence(tokenizer: Tokenizer):
    wordwise = WordwiseTokenizer(reader(tokenizer), "query")
    assert not wordwise.by_words
    sentences = ["the water is cold", "ab ab", "", "water the water"]
    assert wordwise.encode(pa.array(sentences)).to_pylist() == directly(tokenizer, sentences)


def test_without_special_tokens_and_with_several():
    bare = changed()
    content = json.loads(bare.to_str()) | {"post_processor": None}
    several = processors.TemplateProcessing(
        single="[CLS] [MASK] $A [SEP] [PAD]", special_tokens=[("[CLS]", 2), ("[MASK]", 4), ("[SEP]", 3), ("[PAD]", 0)]
    )
    for tokenizer in (Tokenizer.from_str(json.dumps(content)), changed(post_processor=several)):
        wordwise = WordwiseTokenizer(reader(tokenizer), "query")
        assert wordwise.by_words
        assert wordwise.encode(pa.array(TEXTS[:3] + [""])).to_pylist() == directly(tokenizer, TEXTS[:3] + [""])
