"""A start in the teacher's space: tokens aligned by characters, and rotated teachers mapped back."""

import copy

import pytest
import torch
from tokenizers import Tokenizer, normalizers
from torch import nn
from transformers import BertConfig, BertModel

from optical.errors import DataError, UserError
from optical.model.alignment import Reading, aligned_tokens, character_spans, projection_between, reader
from optical.model.encoder import Encoder
from optical.model.head import Dense
from optical.model.text.roles import Roles, RoleSettings
from optical.model.vocabulary.tokenizer import learn_wordpiece, vocabulary_size
from tests.model.vocabulary.tiny import ENGLISH, FRENCH, of_roberta, of_xlmr
from tests.readers import reader as reader_of

TEXT = "the cafe\u0301, \U0001f600 fermé"
SENTENCES = [f"{first} {second}" for first in ENGLISH for second in ENGLISH if first != second] * 2


def stripping() -> Tokenizer:
    made = learn_wordpiece([*ENGLISH, *FRENCH, "\U0001f600"] * 5, 300)
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    return made


def encoder_of(tokenizer: Tokenizer, seed: int, projected: int | None = None) -> Encoder:
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = BertConfig(vocab_size=vocabulary_size(tokenizer), max_position_embeddings=64, **sizes)
        backbone = BertModel(config, add_pooling_layer=False)
        projection = nn.Sequential(Dense(16, projected)) if projected else None
    return Encoder(backbone, reader_of(tokenizer), projection).eval()


def rotation(seed: int = 3) -> torch.Tensor:
    return torch.linalg.qr(torch.randn(16, 16, generator=torch.Generator().manual_seed(seed)))[0]


def rotated(teacher: Encoder, by: torch.Tensor) -> Encoder:
    student = copy.deepcopy(teacher)

    def turn(module: nn.Module, inputs: object, output: object) -> object:
        output.last_hidden_state = output.last_hidden_state @ by.T
        return output

    student.backbone.register_forward_hook(turn)
    return student


def spans_of(tokenizer: Tokenizer, text: str) -> list[tuple[str, str]]:
    """The characters that each token stands for, without special tokens."""
    found = tokenizer.encode(text, add_special_tokens=False)
    spans = character_spans(text, found.tokens, found.offsets)
    return [(token, text[first:last]) for token, (first, last) in zip(found.tokens, spans, strict=True)]


# Characters


def test_wordpiece_says_which_characters_a_token_stands_for():
    assert spans_of(stripping(), TEXT) == [
        *(("the", "the"), ("caf", "caf"), ("##e", "e"), (",", ","), ("\U0001f600", "\U0001f600")),
        *(("fer", "fer"), ("##m", "m"), ("##e", "é")),
    ]


def test_unigram_says_it_without_the_space_before_a_word():
    assert spans_of(of_xlmr(), TEXT) == [
        *(("\u2581the", "the"), ("\u2581café", "cafe"), (",", ","), ("\u2581", ""), ("\U0001f600", "\U0001f600")),
        *(("\u2581", ""), ("f", "f"), ("e", "e"), ("r", "r"), ("m", "m"), ("é", "é")),
    ]


def test_every_byte_of_a_character_has_the_character():
    assert spans_of(of_roberta(composing=True), TEXT) == [
        *(("the", "the"), ("\u0120caf\u00c3\u00a9", "cafe"), (",", ","), ("\u0120", "")),
        *((byte, "\U0001f600") for byte in ("\u00f0", "\u0141", "\u013a", "\u0122")),
        ("\u0120ferm\u00c3\u00a9", "fermé"),
    ]


def test_overlap_by_hand():
    student = torch.tensor([[[0, 3], [4, 8], [8, 8], [-1, 0]], [[0, 2], [0, 0], [0, 0], [0, 0]]])
    teacher = torch.tensor([[[0, 3], [4, 7], [7, 8], [-1, 0], [5, 5]], [[1, 3], [2, 4], [0, 2], [0, 0], [0, 0]]])
    expected = torch.zeros(2, 4, 5, dtype=torch.float64)
    expected[0, 0, 0], expected[0, 1, 1], expected[0, 1, 2], expected[0, 3, 3] = 1, 3 / 4, 1 / 4, 1
    expected[1, 0, 0], expected[1, 0, 2] = 1 / 3, 1
    torch.testing.assert_close(aligned_tokens(student, teacher), expected)
    torch.testing.assert_close(aligned_tokens(teacher, student), expected.transpose(1, 2))


def test_tokens_of_two_kinds_meet_on_the_emoji_and_on_accents():
    readers = [reader(encoder_of(tokenizer, 0), 64) for tokenizer in (of_xlmr(), of_roberta(composing=True))]
    ours, theirs = (read([TEXT]) for read in readers)
    weights = aligned_tokens(ours.spans, theirs.spans)[0]
    #   <s> the café , _ smile _ f e r m é </s>   by   <s> the café , _ four bytes fermé </s>
    expected = torch.zeros(13, 11, dtype=torch.float64)
    expected[[0, 1, 2, 3, 12], [0, 1, 2, 3, 10]] = 1
    expected[5, 5:9] = 1
    expected[7:12, 9] = 1 / 5
    torch.testing.assert_close(weights, expected)


def test_a_cut_sentence_keeps_its_ends():
    read = reader(encoder_of(of_xlmr(), 0), 4)
    found = read(["the river the river", "a"])
    assert found.mask.sum(1).tolist() == [4, 3]
    assert found.spans.tolist() == [[[-1, 0], [0, 3], [4, 9], [19, 20]], [[-1, 0], [0, 1], [1, 2], [0, 0]]]
    longest = reader(encoder_of(of_xlmr(), 0), 1000)(["the " * 200])
    assert longest.ids.shape[1] == 64, "no more than the backbone has positions for"


def test_a_tokenizer_without_special_tokens_is_read_too():
    bare = Tokenizer.from_str(of_roberta().to_str())
    bare.post_processor = None
    assert reader(encoder_of(bare, 0), 64)(["the river"]).spans.tolist() == [[[0, 3], [4, 9]]]


# The map


@pytest.mark.parametrize("method", ["ridge", "procrustes"])
def test_a_rotated_teacher_is_mapped_back(method: str):
    teacher, by = encoder_of(of_xlmr(), 0), rotation()
    found = projection_between(rotated(teacher, by), teacher, SENTENCES, method)
    assert found.cosine_before < 0.5
    if method == "procrustes":
        torch.testing.assert_close(found.weight, by.T.double(), atol=1e-6, rtol=0)
        assert found.bias is None
        assert found.cosine_after == pytest.approx(1.0, abs=1e-9)
    assert found.cosine_after > 0.999
    student = rotated(teacher, by)
    student.head = nn.Sequential(found.layer())
    reading = reader(teacher, 64)(SENTENCES[:2])
    ours, theirs = (encoder(reading.ids, reading.mask)[reading.mask] for encoder in (student, teacher))
    torch.testing.assert_close(ours, theirs, atol=1e-5 if method == "procrustes" else 0.1, rtol=0)


def test_a_student_of_another_kind_comes_nearer():
    student, teacher = encoder_of(of_roberta(), 1), encoder_of(stripping(), 2, projected=8)
    found = projection_between(student, teacher, SENTENCES)
    assert found.weight.shape == (8, 16)
    assert found.cosine_before is None, "the dimensions differ"
    assert found.cosine_after > 0.7
    assert found.tokens > 9 * found.held_out_tokens / 2 > 0
    again = projection_between(student, teacher, [" ", *SENTENCES, ""])
    assert torch.equal(again.weight, found.weight)
    assert torch.equal(again.bias, found.bias)
    assert again.cosine_after == found.cosine_after


def test_held_out_sentences_are_not_fitted_on():
    student, teacher = encoder_of(of_roberta(), 1), encoder_of(stripping(), 2)
    ours, seen = reader(student, 64), []

    def read(texts: list[str]) -> Reading:
        seen.append(list(texts))
        return ours(texts)

    numbered = [f"{text} {place}" for place, text in enumerate(SENTENCES)]
    whole = projection_between(student, teacher, numbered, read_student=read)
    assert sum(map(len, seen)) == len(SENTENCES) + len(SENTENCES) // 10, "held-out sentences are read twice"
    assert {text for texts in seen[1:] for text in texts} == set(numbered[9::10]), "in batches of their own"
    assert not set(seen[0]) & set(numbered[9::10])
    changed = [f"nothing {text}" if place % 10 == 9 else text for place, text in enumerate(numbered)]
    assert torch.equal(projection_between(student, teacher, changed).weight, whole.weight)


def test_what_cannot_be_aligned_is_refused():
    student, teacher = encoder_of(of_roberta(), 1), encoder_of(stripping(), 2)
    with pytest.raises(UserError, match="is 'rigde'; set one of: ridge, procrustes"):
        projection_between(student, teacher, SENTENCES, "rigde")
    with pytest.raises(DataError, match=r"^alignment: 7 tokens of student and teacher are aligned, and 16 are needed"):
        projection_between(student, teacher, ["the river", "", "a"])
    with pytest.raises(DataError, match="no token of a held-out sentence is aligned"):
        projection_between(student, teacher, SENTENCES[:9])


def test_a_reading_is_as_wide_as_its_query_augmentation():
    encoder = encoder_of(stripping(), 1)
    roles = Roles(query=RoleSettings(expand_to=6))
    encoder.reader = encoder.reader.with_roles(roles)
    long = " ".join(ENGLISH[:9])
    reading = reader(encoder, 64)([long, "a"])
    assert reading.ids.shape == (2, 6)
    assert reading.spans[0][-1].tolist() == [len(long), len(long) + 1]
    assert [long[first:last] for first, last in reading.spans[0].tolist()[1:-1]] == long.split()[:4]
    filled = ~reading.mask[1]
    assert filled.any() and not reading.spans[1][filled].any()


def test_a_teacher_with_query_augmentation_can_be_started_from():
    teacher, student = encoder_of(stripping(), 1), encoder_of(stripping(), 2)
    teacher.reader = teacher.reader.with_roles(Roles(query=RoleSettings(expand_to=6)))
    long = [" ".join(ENGLISH), *SENTENCES]
    assert projection_between(student, teacher, long).tokens > 0
