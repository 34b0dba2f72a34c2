"""Letters and spelt-out special tokens at the doors of the vocabularies: all of it is text, and none of it vanishes."""

import json
import unicodedata
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import AutoTokenizer

from optical.errors import DataError
from optical.model.encode import encode_texts
from optical.model.scratch import scratch_encoder
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.reader import load_reader
from optical.model.text.special import BERT
from optical.model.vocabulary.letters import keeping_marks
from optical.model.vocabulary.tokenizer import (
    extend_wordpiece,
    learn_wordpiece,
    vocabulary_size,
)
from optical.model.vocabulary.wordwise import WordwiseTokenizer
from optical.recipe import ScratchConfig
from tests.readers import reader, save_tokenizer

ENGLISH = [
    "the child drinks water in a cafe",
    "The river is cold!",
    "a resume, an 8% rise; (the 3 zebras) jump@quay",
] * 3
STRIPPING = normalizers.BertNormalizer(lowercase=True)
CASED = normalizers.BertNormalizer(lowercase=False)

# Words of one language that differ by marks, joiners or dots alone.
WORDS = {
    "Marathi": "मुले मूल मल",
    "Hindi": "खाना ख़ाना कि की",
    "Yoruba": "ọkọ ọkọ̀ ọkọ́ ọ̀kọ̀ oko",
    "Vietnamese": "ma má mà mả mã mạ mơ mô",
    "Finnish": "saari sääri tälli talli",
    "German": "schon schön masse maße",
    "French": "pêche pêché pèche sale salé",
    "Turkish": "ilik ılık on ön",
    "Persian": "می‌روم میروم",
    "Malayalam": "അവന്‍ അവന്",
    "Sinhala": "ශ්‍රී ශ්රී",
    "Arabic": "كَتَبَ كُتُب كتب",
    "Hebrew": "שׁם שׂם שם",
    "Russian": "все всё",
    "Japanese": "かき がき",
}
EVERYTHING = list(WORDS.values()) * 3


def of_bert(normalizer: normalizers.Normalizer | None = STRIPPING) -> Tokenizer:
    """A teacher's tokenizer as BERT has it: all of ASCII, and the words of ``ENGLISH``."""
    words = pre_tokenizers.BertPreTokenizer().pre_tokenize_str(" ".join(ENGLISH))
    whole = [normalizer.normalize_str(word) if normalizer else word for word, _ in words]
    characters = [chr(code) for code in range(33, 127)] + ["\u00e9", "\u4e2d"]
    pieces = dict.fromkeys([*BERT.all, *characters, *(f"##{character}" for character in characters), *whole])
    made = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token=BERT.unk))
    made.normalizer, made.pre_tokenizer = normalizer, pre_tokenizers.BertPreTokenizer()
    made.add_special_tokens(list(BERT.all))
    made.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made.decoder = decoders.WordPiece()
    return made


VOCABULARIES = {
    "scratch": learn_wordpiece(ENGLISH + EVERYTHING, 900),
    "extended": extend_wordpiece(of_bert(), EVERYTHING, 900),
    "extended, cased": extend_wordpiece(of_bert(CASED), EVERYTHING, 900),
}


def composed(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@pytest.mark.parametrize("kind", VOCABULARIES)
@pytest.mark.parametrize("language", WORDS)
def test_words_that_differ_by_marks_have_different_tokens_and_come_back(kind: str, language: str):
    tokenizer, words = VOCABULARIES[kind], WORDS[language].split()
    found = [tokenizer.encode(word, add_special_tokens=False) for word in words]
    assert len({tuple(encoding.ids) for encoding in found}) == len(words)
    assert not any(BERT.unk in encoding.tokens for encoding in found)
    assert [composed(tokenizer.decode(encoding.ids)) for encoding in found] == [composed(word) for word in words]


@pytest.mark.parametrize("lowercase", [True, False])
@pytest.mark.parametrize("as_one", [True, False])
def test_no_letter_mark_or_digit_of_unicode_vanishes(lowercase: bool, as_one: bool):
    known = [chr(code) for code in range(0x30000) if unicodedata.category(chr(code))[0] in "LMN"]
    known = [character for character in known if character not in "\ufe0e\ufe0f\u0130"]
    read = keeping_marks(lowercase, as_one).normalize_str("\n".join(f"x{character}" for character in known)).split("\n")
    expected = [composed(f"x{character.lower() if lowercase else character}") for character in known]
    assert [composed(text.replace(" ", "")) for text in read] == expected


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("می\u200c\u200cخواهم", "می\u200cخواهم"),
        ("می\u200c خواهم\u200c", "می خواهم"),
        ("अवन\u094d\u200d", "अवन\u094d\u200d"),
        ("\u09b0\u200d\u09cd\u09af\u09be\u09ac", "\u09b0\u200d\u09cd\u09af\u09be\u09ac"),
        ("soft\u00adhyphen zero\u200bwidth jo\u200diner n\u200con", "softhyphen zerowidth joiner non"),
        ("\u200c\u200dab\ufeff\u200e", "ab"),
        ("\u2764\ufe0f \U0001f468\u200d\U0001f469", "\u2764 \U0001f468\U0001f469"),
        ("nul\x00l \ufffd tab\tnew\nline", "null  tab\tnew\nline"),
        ("VI\u1ec6T Vie\u0323\u0302t", "việt việt"),
        ("STRASSE Straße", "strasse straße"),
        ("\u0130stanbul i\u0307stanbul I\u0131", "istanbul istanbul i\u0131"),
        ("ΟΔΟΣ οδός", "οδοσ οδός"),
    ],
)
def test_what_is_kept_and_what_goes(text: str, read: str):
    for as_one in (True, False):
        assert composed(keeping_marks(composed=as_one).normalize_str(text)) == composed(read)


@pytest.mark.parametrize("normalizer", [STRIPPING, normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase()])])
def test_a_letter_never_met_with_its_accent_is_two_known_characters(normalizer: normalizers.Normalizer):
    student = extend_wordpiece(of_bert(normalizer), ["mtoto anakunywa maji"] * 3, 300)
    assert student.encode("Café").tokens == ["[CLS]", "cafe", "##\u0301", "[SEP]"]
    scratch = learn_wordpiece([*ENGLISH, "the quick brown fox jumps over the lazy dog"], 400)
    assert scratch.encode("Café").tokens == ["[CLS]", "cafe", "##\u0301", "[SEP]"]
    latin = map(chr, (*range(0xC0, 0x250), *range(0x1E00, 0x1F00)))
    accented = " ".join(letter for letter in latin if unicodedata.normalize("NFD", letter)[0].isascii())
    assert len(accented) > 700
    assert BERT.unk not in student.encode(accented).tokens + scratch.encode(accented).tokens


def test_the_student_folds_case_and_composes_as_its_teacher_does():
    uncased, cased, bare = (extend_wordpiece(of_bert(kind), ["Maji"] * 3, 60) for kind in (STRIPPING, CASED, None))
    assert uncased.encode("MAJI").ids == uncased.encode("maji").ids
    for student in (cased, bare):
        assert student.encode("Maji").ids != student.encode("maji").ids
        assert student.encode("caf\u00e9").ids == student.encode("cafe\u0301").ids
        assert student.encode("\u00e9").ids == of_bert(CASED).encode("\u00e9").ids


@pytest.mark.parametrize(
    "normalizer",
    [
        STRIPPING,
        CASED,
        None,
        normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()]),
    ],
    ids=["uncased", "cased", "none", "sequence"],
)
def test_english_in_ascii_keeps_its_ids(normalizer: normalizers.Normalizer | None):
    teacher = of_bert(normalizer)
    teacher.encode_special_tokens = True
    student = extend_wordpiece(teacher, ["मुले मूल मल", "中 é ọ̀"] * 3, 200)
    assert not any(piece.isascii() for piece in student.get_vocab().keys() - teacher.get_vocab().keys())
    pieces = st.sampled_from(["the", "River", "cafe", "ZEBRAS", "[SEP]", "x" * 101, " ", "\n"])

    @settings(max_examples=60, deadline=None)
    @given(st.lists(pieces | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=6)).map("".join))
    def read(text: str) -> None:
        assert student.encode(text).ids == teacher.encode(text).ids

    read()


def test_a_normaliser_that_rewrites_english_is_refused():
    with pytest.raises(DataError, match="rewrites ASCII text.*set student.vocabulary to 0"):
        extend_wordpiece(of_bert(normalizers.Replace("a", "o")), EVERYTHING, 100)


def test_a_teacher_goes_on_reading_as_it_always_did(tmp_path: Path):
    save_tokenizer(of_bert(), tmp_path, 256)
    raw, teacher = of_bert(), load_reader(tmp_path).tokenizer
    extend_wordpiece(teacher, EVERYTHING, 900)
    for text in [*ENGLISH, *WORDS.values(), "Café 中国", "soft\u00adhyphen", "x" * 101]:
        assert teacher.encode(text).ids == raw.encode(text).ids


def test_new_pieces_come_after_added_tokens():
    teacher = of_bert()
    teacher.add_special_tokens(["[Q] ", "[D] "])
    teacher.add_tokens(["qwertz"])
    student = extend_wordpiece(teacher, ["mtoto anakunywa maji"] * 3, 200)
    old, new = teacher.get_vocab(), student.get_vocab()
    assert {piece: new[piece] for piece in old} == old
    assert sorted(new.values()) == list(range(vocabulary_size(student)))
    assert student.encode("qwertz maji").ids[1] == teacher.encode("qwertz").ids[1]


@pytest.mark.parametrize("thai", ["กาน้ำอยู่ที่ไหนครับผมอยากดื่มน้ำ" * 5, "ก" + "ก้" * 60], ids=["sentence", "cut_at_a_mark"])
def test_a_sentence_without_spaces_is_not_one_unknown_word(thai: str):
    for tokenizer in (learn_wordpiece([thai], 300), extend_wordpiece(of_bert(), [thai], 300)):
        found = tokenizer.encode(thai, add_special_tokens=False)
        assert composed(tokenizer.decode(found.ids)).replace(" ", "") == composed(thai)
        words = [token for token in found.tokens if not token.startswith("##")]
        assert len(words) == 2, "it is cut once"
        assert unicodedata.category(words[1][0])[0] != "M", "a mark stays with its letter"


# Literal special tokens

SPELT = "a [SEP] b[PAD] [CLS] [MASK] [UNK]"
AS_TEXT = ["a", "[", "sep", "]", "b", "[", "pad", "]", "[", "cls", "]", "[", "mask", "]", "[", "unk", "]"]


def readers(tmp_path: Path) -> dict[str, Tokenizer]:
    """Tokenizers by every way in which one is made; the last's file forgets that its special tokens are special."""
    corpus = ["a b sep pad cls mask unk [ ]"] * 3
    save_tokenizer(of_bert(), tmp_path / "teacher", 256)
    plain = json.loads((tmp_path / "teacher" / "tokenizer.json").read_text())
    plain["added_tokens"] = [token | {"special": False} for token in plain["added_tokens"]]
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "tokenizer.json").write_text(json.dumps(plain))
    student = extend_wordpiece(load_reader(tmp_path / "teacher").tokenizer, corpus, 100)
    save_tokenizer(student, tmp_path / "student", 256)
    made = {"scratch": learn_wordpiece(corpus, 100), "extended": student}
    return made | {name: load_reader(tmp_path / name).tokenizer for name in ("teacher", "student", "plain")}


def test_a_special_token_spelt_out_is_text(tmp_path: Path):
    for name, tokenizer in readers(tmp_path).items():
        found = tokenizer.encode(SPELT)
        special = {tokenizer.token_to_id(token) for token in BERT.all}
        assert not special.intersection(found.ids[1:-1]), name
        assert tokenizer.decode(found.ids).replace(" ", "") == "".join(AS_TEXT), name
        assert tokenizer.encode_batch([SPELT])[0].ids == found.ids, name
        assert WordwiseTokenizer(reader(tokenizer), "query").encode(pa.array([SPELT])).to_pylist() == [found.ids], name


def test_learning_takes_special_tokens_in_the_text_for_text():
    learned = learn_wordpiece(["[MASK] [MASK]"] * 5, 100)
    assert learned.encode("[MASK]").tokens == ["[CLS]", "[", "mask", "]", "[SEP]"]


def test_an_encoder_reads_a_query_with_a_special_token_in_it(tiny: ScratchConfig, tmp_path: Path):
    encoder = scratch_encoder(tiny, learn_wordpiece(["a sep [ ]"] * 3, 80), seed=0)
    save_encoder(encoder, tmp_path / "encoder")
    assert [len(found) for found in encode_texts(load_encoder(tmp_path / "encoder"), ["a [SEP] a"], "query", 32)] == [7]


def test_an_exported_tokenizer_reads_the_same_through_transformers(tmp_path: Path):
    for name, tokenizer in VOCABULARIES.items():
        save_tokenizer(tokenizer, tmp_path / name, 256)
        theirs = AutoTokenizer.from_pretrained(tmp_path / name)
        for text in [SPELT, *WORDS.values()]:
            assert theirs(text)["input_ids"] == tokenizer.encode(text).ids, name
