"""Encoders of other families load and encode without a change of code, or are refused by name with the reason."""

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    DistilBertConfig,
    DistilBertModel,
    ElectraConfig,
    ElectraModel,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

from optical.errors import DataError
from optical.model.encode import encode_texts
from optical.model.folder import Shape, read_shape
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.special import BERT
from tests.readers import save_tokenizer

TEXTS = ["child water school", "river", "book food teacher road sun rain"]
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
XLMR_TOKENS = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")


def distilbert(size: int) -> PreTrainedModel:
    return DistilBertModel(DistilBertConfig(vocab_size=size, dim=32, n_layers=1, n_heads=2, hidden_dim=64))


def electra(size: int) -> PreTrainedModel:
    return ElectraModel(ElectraConfig(vocab_size=size, embedding_size=16, **SIZES))


def roberta(size: int) -> PreTrainedModel:
    return RobertaModel(RobertaConfig(vocab_size=size, pad_token_id=0, max_position_embeddings=40, **SIZES))


def xlm_roberta(size: int) -> PreTrainedModel:
    return XLMRobertaModel(XLMRobertaConfig(vocab_size=size, max_position_embeddings=40, **SIZES))


def unigram(special: tuple[str, ...], unknown: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=60, special_tokens=list(special), unk_token=unknown)
    tokenizer.train_from_iterator(TEXTS * 5, trainer)
    return tokenizer


def bpe(special: tuple[str, ...]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator(TEXTS * 5, trainers.BpeTrainer(vocab_size=80, special_tokens=list(special)))
    return tokenizer


def saved(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> Path:
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


@pytest.mark.parametrize(
    ("family", "positions"), [(distilbert, 512), (electra, 512), (roberta, 39)], ids=lambda value: str(value)
)
@pytest.mark.parametrize("vocabulary", ["WordPiece", "Unigram", "BPE"])
def test_a_family_with_special_tokens_of_bert_is_read(tmp_path, tokenizer, family, positions, vocabulary):
    known = {"WordPiece": tokenizer, "Unigram": unigram(BERT.all, "[UNK]"), "BPE": bpe(BERT.all)}[vocabulary]
    folder = saved(family(known.get_vocab_size()), known, tmp_path)
    encoder = load_encoder(folder).eval()
    assert read_shape(folder) == Shape(positions, 32, vocabulary)
    assert (encoder.positions, encoder.dim) == (positions, 32)
    rows = encode_texts(encoder, TEXTS, "query", 64)
    for row, text in zip(rows, TEXTS, strict=True):
        assert row.shape == (len(known.encode(text).ids), 32)
        torch.testing.assert_close(row.norm(dim=1), torch.ones(len(row)))
        torch.testing.assert_close(row, encode_texts(encoder, [text], "query", 64)[0], atol=1e-5, rtol=0)
    [longest] = encode_texts(encoder, ["river " * 600], "query", 1000)
    assert len(longest) == positions
    (tmp_path / "again").mkdir()
    save_encoder(encoder, tmp_path / "again")
    assert torch.equal(encode_texts(load_encoder(tmp_path / "again").eval(), TEXTS, "query", 64)[0], rows[0])


def test_an_encoder_decoder_is_refused_by_name(tmp_path, tokenizer):
    save_tokenizer(tokenizer, tmp_path, 64)
    (tmp_path / "config.json").write_text('{"model_type": "t5", "d_model": 32, "vocab_size": 5000}')
    with pytest.raises(DataError, match=r"is an encoder-decoder \(t5\)"):
        read_shape(tmp_path)
