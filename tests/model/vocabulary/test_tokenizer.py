"""Tokenizers: learned, saved, and extended without moving an id."""

import json

import pytest
from tokenizers import Tokenizer, models
from transformers import AutoTokenizer

from optical.errors import DataError
from optical.model.text.reader import load_reader
from optical.model.text.special import BERT
from optical.model.vocabulary.tokenizer import (
    extend_wordpiece,
    learn_wordpiece,
)
from tests.readers import save_tokenizer

ENGLISH = ["the child drinks water", "the water is cold", "a child reads the book"] * 5
SWAHILI = ["mtoto anakunywa maji", "maji ni baridi", "mtoto anasoma kitabu"] * 5


@pytest.fixture(scope="module")
def english() -> Tokenizer:
    return learn_wordpiece(ENGLISH, 200)


def test_special_tokens_come_first_and_frame_a_sentence(english):
    assert [english.token_to_id(token) for token in BERT.all] == [0, 1, 2, 3, 4]
    encoding = english.encode("The CHILD reads")
    assert encoding.tokens == ["[CLS]", "the", "child", "reads", "[SEP]"]


def test_learning_twice_gives_the_same_vocabulary(english):
    assert learn_wordpiece(ENGLISH, 200).get_vocab() == english.get_vocab()


def test_the_vocabulary_size_is_a_limit():
    assert learn_wordpiece(ENGLISH, 80).get_vocab_size() == 80


def test_extending_keeps_every_old_id_and_shortens_the_new_language(english):
    extended = extend_wordpiece(english, SWAHILI, 200)
    old, new = english.get_vocab(), extended.get_vocab()
    assert {piece: new[piece] for piece in old} == old
    assert sorted(new.values()) == list(range(len(new)))
    assert len(new) > len(old)
    for text in ENGLISH[:3]:
        assert extended.encode(text).ids == english.encode(text).ids
    for text in SWAHILI[:3]:
        assert extended.encode(text).tokens == ["[CLS]", *text.split(), "[SEP]"]
        pieces = learn_wordpiece(ENGLISH + list("mtoanakuywjibrds"), 200).encode(text).ids
        assert len(extended.encode(text).ids) < len(pieces)
    assert english.get_vocab() == old


def test_extending_by_what_is_known_adds_nothing(english):
    assert extend_wordpiece(english, ENGLISH, 1).get_vocab() == english.get_vocab()


def test_only_wordpiece_can_be_extended():
    with pytest.raises(DataError, match="the teacher's is BPE; set student.vocabulary to 0"):
        extend_wordpiece(Tokenizer(models.BPE()), SWAHILI, 100)


def test_a_saved_tokenizer_is_read_by_us_and_by_transformers(english, tmp_path):
    save_tokenizer(english, tmp_path, 256)
    ours, theirs = load_reader(tmp_path).tokenizer, AutoTokenizer.from_pretrained(tmp_path)
    for text in [*ENGLISH[:3], "zebra", ""]:
        assert ours.encode(text).ids == english.encode(text).ids == theirs(text)["input_ids"]
    assert (theirs.pad_token, theirs.mask_token, theirs.model_max_length) == ("[PAD]", "[MASK]", 256)


def test_truncation_and_padding_in_the_file_are_switched_off(english, tmp_path):
    save_tokenizer(english, tmp_path, 256)
    content = json.loads((tmp_path / "tokenizer.json").read_text())
    cutting = Tokenizer.from_str(json.dumps(content))
    cutting.enable_truncation(3)
    cutting.enable_padding(length=20)
    cutting.save(str(tmp_path / "tokenizer.json"))
    assert len(load_reader(tmp_path).tokenizer.encode("the child drinks water").ids) == 6


def test_a_missing_or_damaged_tokenizer_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match="tokenizer.json: a tokenizer is needed, and the file is missing"):
        load_reader(tmp_path)
    (tmp_path / "tokenizer.json").write_text('{"version": "1.0"')
    with pytest.raises(DataError, match="is not a tokenizer"):
        load_reader(tmp_path)
