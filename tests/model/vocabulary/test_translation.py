"""New word pieces: translated by IBM Model 1, placed among the teacher's embeddings."""

import pytest
import torch
from scipy import sparse
from transformers import RobertaConfig, RobertaModel

from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder, save_encoder
from optical.model.vocabulary.tokenizer import vocabulary_size
from optical.model.vocabulary.translation import extend_embeddings, extended_student, translation_table
from tests.model.vocabulary.tiny import of_roberta, of_xlmr
from tests.readers import reader


def plain(table: sparse.csr_matrix) -> list[list[float]]:
    return table.toarray().tolist()


def test_one_word_translates_to_its_only_partner():
    assert plain(translation_table([[1]], [[2]], 3, 4)) == [[0] * 4, [0, 0, 1, 0], [0] * 4]


def test_two_partners_share_evenly():
    assert plain(translation_table([[0]], [[0, 1]], 1, 2)) == [[0.5, 0.5]]


def test_repeats_are_counted():
    # Word 0 stands beside target 0 three times and beside target 1 once.
    assert plain(translation_table([[0], [0], [0]], [[0, 0], [0], [1]], 1, 2)) == [[0.75, 0.25]]


def test_the_first_sweeps_by_hand():
    # The pairs (s0 | t0) and (s0 s1 | t0 t1). After the first sweep t0 has count 1 + 1/2 from s0 and 1/2 from s1,
    # t1 has 1/2 from each; five more sweeps of the same, written out for one unknown each.
    p00, p10 = 1.0, 1.0
    p01, p11 = 1.0, 1.0
    for _ in range(6):
        c00, c10 = 1 + p00 / (p00 + p10), p10 / (p00 + p10)
        c01, c11 = p01 / (p01 + p11), p11 / (p01 + p11)
        p00, p01, p10, p11 = c00 / (c00 + c01), c01 / (c00 + c01), c10 / (c10 + c11), c11 / (c10 + c11)
    table = translation_table([[0], [0, 1]], [[0], [0, 1]], 2, 2).toarray()
    assert table[0, 0] == pytest.approx(p00)
    assert table[1, 1] == pytest.approx(p11)


def test_a_shared_word_is_explained_away():
    table = translation_table([[0, 1], [0, 2], [0, 3]], [[0, 1], [0, 2], [0, 3]], 4, 4).toarray()
    assert (table.argmax(1) == [0, 1, 2, 3]).all()
    assert (table.sum(1) <= 1 + 1e-9).all()


def test_rare_translations_are_dropped():
    sources, targets = [[0]] * 100, [[0]] * 99 + [[1]]
    assert plain(translation_table(sources, targets, 1, 2)) == [[0.99, 0.0]]


def test_new_rows_are_averages_of_old_ones(encoder):
    old = encoder.backbone.get_input_embeddings().weight.detach().clone()
    num_old = len(old)
    table = sparse.lil_matrix((num_old + 3, num_old))
    table[0, 7] = 1.0  # translations of old pieces are nobody's business
    table[num_old, 5], table[num_old, 6] = 0.6, 0.2
    table[num_old + 1, 8] = 1.0
    extend_embeddings(encoder, table.tocsr())
    new = encoder.backbone.get_input_embeddings().weight.detach()
    assert new.shape == (num_old + 3, 32)
    assert torch.equal(new[:num_old], old)
    torch.testing.assert_close(new[num_old], 0.75 * old[5] + 0.25 * old[6])
    torch.testing.assert_close(new[num_old + 1], old[8])
    torch.testing.assert_close(new[num_old + 2], old.mean(0))
    assert encoder.backbone.config.vocab_size == num_old + 3
    assert encoder.backbone.get_input_embeddings().weight.requires_grad


def test_an_extended_student_reads_both_languages_and_can_be_saved(encoder, tmp_path):
    sources = ["watoto wanasoma vitabu", "vitabu vizuri", "watoto wazuri"] * 4
    targets = ["child book", "book tree", "child tree"] * 4
    english = encoder.tokenizer.encode("child book").ids
    before = encode_texts(encoder, ["child book"], "query", 16)[0]
    num_old = encoder.tokenizer.get_vocab_size()
    student = extended_student(encoder, sources, targets, 200)
    assert student.tokenizer.encode("watoto vitabu").tokens == ["[CLS]", "watoto", "vitabu", "[SEP]"]
    assert student.tokenizer.encode("child book").ids == english
    assert torch.equal(encode_texts(student, ["child book"], "query", 16)[0], before)
    rows = student.backbone.get_input_embeddings().weight
    watoto = rows[student.tokenizer.token_to_id("watoto")]
    nearest = torch.nn.functional.cosine_similarity(watoto, rows[:num_old])
    assert int(nearest.argmax()) == student.tokenizer.token_to_id("child")
    save_encoder(student, tmp_path)
    assert torch.equal(
        encode_texts(load_encoder(tmp_path).eval(), ["watoto"], "query", 8)[0],
        encode_texts(student, ["watoto"], "query", 8)[0],
    )


def test_a_vocabulary_that_adds_nothing_leaves_the_teacher_as_it_was(encoder, bitext):
    before = encoder.state_dict()["backbone.embeddings.word_embeddings.weight"].clone()
    sources, targets = zip(*bitext, strict=True)
    student = extended_student(encoder, sources, targets, 1)
    assert torch.equal(student.backbone.get_input_embeddings().weight, before)


def test_rows_that_round_up_the_teachers_matrix_belong_to_no_piece(encoder):
    num_old = encoder.tokenizer.get_vocab_size()
    encoder.backbone.resize_token_embeddings(num_old + 3)
    old = encoder.backbone.get_input_embeddings().weight.detach().clone()
    student = extended_student(encoder, ["watoto vitabu"] * 4, ["child book"] * 4, 200)
    rows = student.backbone.get_input_embeddings().weight.detach()
    assert len(rows) == student.tokenizer.get_vocab_size() > num_old + 3
    assert torch.equal(rows[:num_old], old[:num_old])
    # Where the piece has no translation its row is the mean, and either way a mean of old rows, never the filling.
    assert not torch.isin(rows[num_old:], old[num_old:]).all(1).any()


@pytest.mark.parametrize("kind", ["Unigram", "BPE"])
def test_a_student_of_another_kind_of_vocabulary_is_extended_alike(kind):
    tokenizer = of_xlmr() if kind == "Unigram" else of_roberta()
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    num_old = vocabulary_size(tokenizer)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = RobertaModel(RobertaConfig(vocab_size=num_old + 5, pad_token_id=1, **sizes))
    encoder = Encoder(backbone, reader(tokenizer)).eval()
    english = tokenizer.encode("the river, the school").ids
    old = backbone.get_input_embeddings().weight.detach().clone()
    sources = ["mto wanasoma mto", "wanasoma", "mto wanasoma shuleni"] * 8
    targets = ["river", "", "river school"] * 8
    student = extended_student(encoder, sources, targets, 60)
    rows = student.backbone.get_input_embeddings().weight.detach()
    assert torch.equal(rows[:num_old], old[:num_old])
    assert len(rows) == vocabulary_size(student.tokenizer) > num_old
    assert student.tokenizer.encode("the river, the school").ids == english
    [mto] = student.tokenizer.encode(" mto" if kind == "BPE" else "mto", add_special_tokens=False).ids
    assert mto >= num_old
    [river] = tokenizer.encode(" river" if kind == "BPE" else "river", add_special_tokens=False).ids
    known = tokenizer.encode("river", add_special_tokens=False).ids
    nearest = int(torch.nn.functional.cosine_similarity(rows[mto], rows[:num_old]).argmax())
    assert nearest in {river, *known}, "its row starts from its translation"
    assert encode_texts(student, ["mto wanasoma"], "query", 16)[0].isfinite().all()


def test_special_tokens_are_no_translations():
    tokenizer = of_xlmr()
    sizes = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    backbone = RobertaModel(RobertaConfig(vocab_size=vocabulary_size(tokenizer), pad_token_id=1, **sizes))
    river = tokenizer.encode("river", add_special_tokens=False).ids
    student = extended_student(Encoder(backbone, reader(tokenizer)), ["mto"] * 8, ["river"] * 8, 60)
    [mto] = student.tokenizer.encode("mto", add_special_tokens=False).ids
    rows = student.backbone.get_input_embeddings().weight
    torch.testing.assert_close(rows[mto], rows[river].mean(0))
