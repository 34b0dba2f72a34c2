"""Loading is strict: what is missing, left over or of another kind is refused in one line, and nothing is random."""

import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BertForMaskedLM,
    BertForSequenceClassification,
    GPT2Config,
    GPT2LMHeadModel,
    GPT2Model,
)

from optical.errors import DataError
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.folder import check_folder, read_shape, weights_fingerprint
from optical.model.storage import load_encoder
from tests.model.formats.folders import bert, change, deberta, pylate, read, roberta, stanford, write, xlm_roberta

FILE = "model.safetensors"


def refused(folder) -> str:
    with pytest.raises(DataError) as caught:
        load_encoder(check_folder(folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_weights(folder, change) -> str:
    weights = load_file(folder / FILE)
    change(weights)
    save_file(weights, folder / FILE, {"format": "pt"})
    return folder


def in_shards(folder, count: int = 3):
    weights = load_file(folder / FILE)
    (folder / FILE).unlink()
    where = {name: f"model-{number % count + 1:05}-of-{count:05}.safetensors" for number, name in enumerate(weights)}
    for file in set(where.values()):
        save_file({name: weights[name] for name in weights if where[name] == file}, folder / file, {"format": "pt"})
    write(folder / f"{FILE}.index.json", {"metadata": {"total_size": 1}, "weight_map": where})
    return folder


def vectors(encoder: Encoder) -> torch.Tensor:
    return torch.cat(encode_texts(encoder.eval(), ["hello world", "rain"], "query", 20))


def test_missing_weights(tmp_path):
    folder = with_weights(bert(tmp_path), lambda weights: weights.pop("encoder.layer.0.output.dense.weight"))
    assert "its weights do not fit bert: it lacks encoder.layer.0.output.dense.weight; give the weights" in refused(
        folder
    )


def test_missing_layer(tmp_path):
    bert(tmp_path)
    change(tmp_path / "config.json", num_hidden_layers=2)
    assert "it lacks encoder.layer.1.attention" in refused(tmp_path)
    assert "and 13 more" in refused(tmp_path)


def test_extra_layer(tmp_path):
    bert(tmp_path, num_hidden_layers=2)
    change(tmp_path / "config.json", num_hidden_layers=1)
    assert "it also has encoder.layer.1.attention" in refused(tmp_path)


def test_misshapen_weights(tmp_path):
    folder = with_weights(bert(tmp_path), lambda all: all.update({"embeddings.LayerNorm.weight": torch.ones(31)}))
    assert "it has other shapes for embeddings.LayerNorm.weight" in refused(folder)


def test_weights_of_another_name(tmp_path):
    def rename(weights):
        for name in list(weights):
            weights[f"encoder_q.{name}"] = weights.pop(name)

    assert "it lacks embeddings." in refused(with_weights(bert(tmp_path), rename))


@pytest.mark.parametrize("make", [bert, stanford], ids=["bert", "colbert"])
def test_shards_are_read_and_each_is_needed(tmp_path, make):
    folder = make(tmp_path)
    whole = vectors(load_encoder(folder))
    assert torch.equal(vectors(load_encoder(in_shards(folder))), whole)
    assert sum(name.endswith(".safetensors") for name in weights_fingerprint(folder)) == 3
    next(folder.glob("model-00002*")).unlink()
    assert "model-00002-of-00003.safetensors" in refused(folder)


def test_half_precision_is_read_as_float32(tmp_path):
    folder = with_weights(
        bert(tmp_path), lambda weights: weights.update({name: value.bfloat16() for name, value in weights.items()})
    )
    change(folder / "config.json", dtype="bfloat16")
    encoder = load_encoder(folder)
    assert {value.dtype for value in encoder.parameters()} == {torch.float32}
    stored = load_file(folder / FILE)["embeddings.word_embeddings.weight"]
    assert torch.equal(encoder.backbone.get_input_embeddings().weight, stored.float())


@pytest.mark.parametrize("make", [bert, xlm_roberta, deberta, stanford, pylate], ids=lambda make: make.__name__)
def test_a_second_load_is_the_first(tmp_path, make):
    folder = make(tmp_path)
    torch.manual_seed(1)
    first = load_encoder(folder).state_dict()
    torch.manual_seed(2)
    second = load_encoder(folder).state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_head_of_another_task_is_left_out(tmp_path):
    encoder = load_encoder(bert(tmp_path))
    BertForMaskedLM(encoder.backbone.config).save_pretrained(tmp_path)
    load_encoder(tmp_path)


def test_a_dense_without_weights(tmp_path):
    pylate(tmp_path)
    (tmp_path / "1_Dense" / FILE).unlink()
    assert "1_Dense/model.safetensors: weights do not load" in refused(tmp_path)
    (tmp_path / "1_Dense" / "pytorch_model.bin").touch()
    assert "1_Dense/model.safetensors: weights do not load" in refused(tmp_path)


def test_pickles_are_not_opened(tmp_path):
    bert(tmp_path)
    (tmp_path / FILE).rename(tmp_path / "pytorch_model.bin")
    assert "keeps its weights as a pickle (pytorch_model.bin), which can run any code" in refused(tmp_path)
    (tmp_path / "pytorch_model.bin").rename(tmp_path / "xor-qa.dnn")
    assert "keeps its weights as a pickle (xor-qa.dnn)" in refused(tmp_path)


def test_a_tokenizer_without_padding_token(tmp_path):
    roberta(tmp_path)
    content = read(tmp_path / "tokenizer.json")
    content["added_tokens"] = [token for token in content["added_tokens"] if token["content"] != "<pad>"]
    content["model"]["vocab"]["other"] = content["model"]["vocab"].pop("<pad>")
    write(tmp_path / "tokenizer.json", content)
    assert "names '<pad>' as its pad token, and the vocabulary lacks it" in refused(tmp_path)
    settings = read(tmp_path / "tokenizer_config.json")
    write(tmp_path / "tokenizer_config.json", {key: value for key, value in settings.items() if key != "pad_token"})
    assert "has no padding token; name one in tokenizer_config.json: pad_token" in refused(tmp_path)


@pytest.mark.parametrize(
    "name", ["tokenizer_config.json", "special_tokens_map.json", "config_sentence_transformers.json"]
)
@pytest.mark.parametrize(
    ("content", "what"), [("[]", "is no JSON object"), ("{", "is no JSON (Expecting property name")]
)
def test_settings_that_are_no_json_object(tmp_path, name, content, what):
    (pylate(tmp_path) / name).write_text(content)
    said = refused(tmp_path)
    assert f"{name}: {what}" in said and said.endswith("replace the file")


def test_a_vocabulary_larger_than_the_embedding(tmp_path):
    content = read(bert(tmp_path) / "tokenizer.json")
    content["model"]["vocab"]["more"] = 500
    write(tmp_path / "tokenizer.json", content)
    assert "its vocabulary has ids up to 500, and its embeddings have 106 rows" in refused(tmp_path)


def test_a_cross_encoder_is_refused_by_name(tmp_path):
    BertForSequenceClassification(load_encoder(bert(tmp_path)).backbone.config).save_pretrained(tmp_path)
    message = "is a cross-encoder or another classifier of texts (BertForSequenceClassification); give an encoder that"
    assert message in refused(tmp_path)


@pytest.mark.parametrize("kind", [GPT2LMHeadModel, GPT2Model])
def test_a_causal_language_model_is_refused_by_name(tmp_path, kind):
    bert(tmp_path)
    kind(GPT2Config(vocab_size=120, n_embd=32, n_layer=1, n_head=2, n_positions=40)).save_pretrained(tmp_path)
    assert "is a causal language model (" in refused(tmp_path)


def test_an_encoder_decoder_is_refused_by_name(tmp_path):
    bert(tmp_path)
    write(tmp_path / "config.json", {"model_type": "t5", "d_model": 32, "vocab_size": 5000})
    assert "is an encoder-decoder (t5); give an encoder alone" in refused(tmp_path)


def test_code_that_comes_with_weights_is_not_run(tmp_path, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("the user is asked"))
    bert(tmp_path)
    write(tmp_path / "config.json", {"model_type": "own", "auto_map": {"AutoConfig": "own.Own", "AutoModel": "own.M"}})
    (tmp_path / "own.py").write_text("raise SystemExit('code was run')")
    assert "needs code that comes with its weights (own), which is never run here" in refused(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]", '{"model_type": "nothing-known"}', '{"a": 1}'])
def test_a_damaged_configuration(tmp_path, content):
    bert(tmp_path)
    (tmp_path / "config.json").write_text(content)
    refused(tmp_path)


def test_damaged_weights(tmp_path):
    (bert(tmp_path) / FILE).write_bytes(b"nothing")
    assert "weights do not load" in refused(tmp_path)
    (stanford(tmp_path / "colbert") / FILE).write_bytes(b"nothing")
    assert "weights do not load" in refused(tmp_path / "colbert")


def test_layouts_are_read_without_torch(tmp_path):
    stanford(tmp_path / "a")
    pylate(tmp_path / "b")
    code = "import sys; from pathlib import Path; from optical.model.formats.layout import read_layout; "
    code += "[read_layout(Path(folder)) for folder in sys.argv[1:]]; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a"), str(tmp_path / "b")], check=True)


def test_the_shape_of_every_format(tmp_path):
    assert (read_shape(bert(tmp_path / "a")).dim, read_shape(pylate(tmp_path / "b")).dim) == (32, 16)
    assert read_shape(stanford(tmp_path / "c", xlm_roberta, "roberta")).positions == 40


def test_a_folder_in_place_of_a_settings_file(tmp_path):
    pylate(tmp_path)
    (tmp_path / "special_tokens_map.json").unlink(missing_ok=True)
    (tmp_path / "special_tokens_map.json").mkdir()
    assert "special_tokens_map.json: cannot be read (is a directory)" in refused(tmp_path)
