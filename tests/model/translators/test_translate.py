"""Translation models: tiny ones with random weights, against transformers called directly, and what is refused."""

import json
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer
from transformers import (
    AutoModelForSeq2SeqLM,
    M2M100Config,
    M2M100ForConditionalGeneration,
    NllbTokenizer,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from optical.errors import DataError, UserError
from optical.model.translators.folder import check_translator, find_translator, translator_fingerprint
from optical.model.translators.translate import translate

FIELD = "evaluation.baselines"
CODES = ("swh_Latn", "eng_Latn")
TEXTS = ["mtoto maji shule nyumba kitabu mto", "mto", "jua mvua mti"]
WORDS = ["▁mtoto", "▁maji", "▁shule", "▁mto", "▁jua", "▁mvua", "▁mti", "▁child", "▁water", "▁river"]


def t5(folder: Path, tokenizer: Tokenizer) -> Path:
    """A model of one pair of languages."""
    torch.manual_seed(0)
    sizes = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2, "decoder_start_token_id": 0}
    T5ForConditionalGeneration(T5Config(vocab_size=tokenizer.get_vocab_size(), **sizes)).save_pretrained(folder)
    named = {"pad_token": "[PAD]", "unk_token": "[UNK]", "eos_token": "[SEP]"}
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=12,
        model_input_names=["input_ids", "attention_mask"],
        **named,
    ).save_pretrained(folder)
    return folder


def nllb(folder: Path) -> Path:
    """A model of many languages, with a tokenizer that knows two of them."""
    torch.manual_seed(0)
    vocab = {word: place for place, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *WORDS])}
    tokenizer = NllbTokenizer(vocab=vocab, merges=[], extra_special_tokens=list(CODES))
    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "max_position_embeddings": 40}
    sizes |= {"encoder_ffn_dim": 16, "decoder_ffn_dim": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
    M2M100ForConditionalGeneration(M2M100Config(vocab_size=len(tokenizer), **sizes)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_translations_are_those_of_transformers_text_by_text(tmp_path, tokenizer):
    folder = t5(tmp_path / "t5", tokenizer)
    done = []
    found = translate(folder, TEXTS, None, 3, FIELD, advance=done.append)
    reader = PreTrainedTokenizerFast.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    most = 11  # the model reads 12 tokens
    for text, translation in zip(TEXTS, found, strict=True):
        ids = model.generate(**reader([text], return_tensors="pt"), num_beams=3, do_sample=False, max_new_tokens=most)
        assert translation == " ".join(reader.decode(ids[0], skip_special_tokens=True).split())
    assert sum(done) == len(TEXTS) and translate(folder, [], None, 3, FIELD) == []
    assert translate(folder, TEXTS, None, 3, FIELD) == found


def test_a_model_of_many_languages_begins_with_the_language_that_is_asked_for(tmp_path):
    folder = nllb(tmp_path / "nllb")
    check_translator(folder, CODES, FIELD)
    reader = NllbTokenizer.from_pretrained(folder, src_lang="swh_Latn")
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    asked = reader(["mto maji"], return_tensors="pt")
    english = reader.convert_tokens_to_ids("eng_Latn")
    ids = model.generate(**asked, num_beams=2, do_sample=False, max_new_tokens=39, forced_bos_token_id=english)
    assert ids[0, 1] == english
    expected = " ".join(reader.decode(ids[0], skip_special_tokens=True).split())
    assert translate(folder, ["mto maji"], CODES, 2, FIELD) == [expected]


def test_codes_that_do_not_belong_to_the_model_are_refused(tmp_path, tokenizer):
    one, many = t5(tmp_path / "t5", tokenizer), nllb(tmp_path / "nllb")
    with pytest.raises(
        UserError, match="^evaluation.baselines: gives the codes swh_Latn-eng_Latn to a model that tran"
    ):
        check_translator(one, CODES, FIELD)
    with pytest.raises(UserError, match="gives no language codes to a model that translates many"):
        check_translator(many, None, FIELD)
    with pytest.raises(UserError, match="has the code sw, which the model does not know"):
        check_translator(many, ("sw", "eng_Latn"), FIELD)


def test_a_query_that_is_too_long_is_refused(tmp_path, tokenizer):
    folder = t5(tmp_path / "t5", tokenizer)
    with pytest.raises(DataError, match=r"reads 12 tokens, and the query 'mto mto .*' has \d+; shorten the query"):
        translate(folder, ["mto", "mto " * 20], None, 1, FIELD)


def test_an_encoder_a_pickle_and_missing_weights_are_refused(tmp_path, tokenizer, encoder_folder):
    with pytest.raises(DataError, match="is no encoder-decoder"):
        check_translator(encoder_folder, None, FIELD)
    folder = t5(tmp_path / "t5", tokenizer)
    assert find_translator(str(folder), None, FIELD) == folder
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(DataError, match="keeps its weights as a pickle"):
        find_translator(str(folder), None, FIELD)
    with pytest.raises(UserError, match="is no folder here"):
        find_translator("opus-mt", None, FIELD)
    with pytest.raises(UserError, match="as a hub id lacks its commit"):
        find_translator("owner/opus-mt", None, FIELD)


def test_weights_that_do_not_fit_are_refused(tmp_path, tokenizer):
    folder = t5(tmp_path / "t5", tokenizer)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_layers": 2}))
    with pytest.raises(DataError, match="its weights do not fit t5: it lacks"):
        translate(folder, ["mto"], None, 1, FIELD)


def test_a_fingerprint_sees_weights_and_vocabulary(tmp_path, tokenizer):
    folder = t5(tmp_path / "t5", tokenizer)
    before = translator_fingerprint(folder)
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(before)
    (folder / "README.md").write_text("words")
    assert translator_fingerprint(folder) == before
    (folder / "source.spm").write_bytes(b"pieces")
    assert translator_fingerprint(folder) != before
