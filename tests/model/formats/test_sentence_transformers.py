"""Folders of PyLate and sentence-transformers: what each setting means, and what is refused by name."""

import json
import string

import pytest
import torch
from safetensors.torch import load_file

from optical.errors import DataError
from optical.model.encode import encode_texts
from optical.model.folder import check_folder, weights_fingerprint
from optical.model.formats.layout import read_layout
from optical.model.storage import load_encoder
from optical.model.text.reader import load_reader
from optical.model.text.roles import Roles, RoleSettings
from tests.model.formats.folders import (
    MAKERS,
    bert,
    change,
    dense,
    modernbert,
    pooled,
    pylate,
    read,
    write,
    write_modules,
    xlm_roberta,
)

SETTINGS = "config_sentence_transformers.json"
TRANSFORMER = "sentence_bert_config.json"
NATIVE = "sentence_transformers.multi_vector_encoder.modules.multi_vector_mask.MultiVectorMask"


def native(folder, maker=bert, mask: dict | None = None, **settings: object):
    """A late-interaction model as sentence-transformers saves it."""
    maker(folder)
    dense(folder, "1_Dense", 32, 16, module_input_name="token_embeddings", module_output_name=None)
    write(
        folder / "2_MultiVectorMask" / "config.json", mask or {"skiplist_words": [","], "skiplist_tasks": ["document"]}
    )
    write(folder / "3_Normalize" / "config.json", {"module_input_name": "token_embeddings"})
    base = "sentence_transformers.base.modules"
    kinds = [f"{base}.transformer.Transformer", f"{base}.dense.Dense", NATIVE, f"{base}.normalize.Normalize"]
    write_modules(folder, list(zip(kinds, ["", "1_Dense", "2_MultiVectorMask", "3_Normalize"], strict=True)))
    write(folder / SETTINGS, {"model_type": "MultiVectorEncoder", "prompts": {}} | settings)
    text = {"text": {"method": "forward", "method_output_name": "last_hidden_state"}}
    write(
        folder / TRANSFORMER, {"transformer_task": "feature-extraction", "modality_config": text, "document_length": 9}
    )
    return folder


def ids(folder, text: str, role: str) -> list[str]:
    reader = load_reader(folder)
    return list(reader.tokens_of(reader.encode([text], role).to_pylist()[0]))


def test_pylate_puts_its_markers_behind_the_opening_token(tmp_path):
    pylate(tmp_path)
    assert ids(tmp_path, "Hello, [Q] ", "query") == ["[CLS]", "[Q] ", "hello", ",", "[", "q", "]", "[SEP]"]
    assert ids(tmp_path, "hello", "document") == ["[CLS]", "[D] ", "hello", "[SEP]"]
    assert load_reader(tmp_path).encode(["hello"], "query").to_pylist() == [[4, 106, 104, 5]]


def test_pylate_by_default(tmp_path):
    pylate(tmp_path)
    write(tmp_path / SETTINGS, {"model_type": "ColBERT", "query_prefix": "[Q] ", "document_prefix": "[D] "})
    assert read_layout(tmp_path).roles == Roles(
        query=RoleSettings(marker="[Q] ", expand_to=32),
        document=RoleSettings(marker="[D] ", silent=tuple(string.punctuation)),
    )


def test_pylate_as_set(tmp_path):
    settings = {"query_length": 9, "attend_to_expansion_tokens": True, "skiplist_words": ["."]}
    roles = read_layout(pylate(tmp_path, **settings, prompts={"query": "query: "})).roles
    assert roles.query == RoleSettings(marker="[Q] ", prefix="query: ", expand_to=9, attends=True)
    assert roles.document == RoleSettings(marker="[D] ", silent=(".",))
    change(tmp_path / SETTINGS, do_query_expansion=False)
    assert not read_layout(tmp_path).roles.query.expand_to
    change(tmp_path / SETTINGS, do_query_expansion=None)
    assert read_layout(tmp_path).roles.query.expand_to == 9
    change(tmp_path / SETTINGS, model_type=None)
    assert read_layout(tmp_path).roles.query.expand_to == 9, "older files do not name the kind"


def test_an_unknown_marker_is_text(tmp_path):
    roles = read_layout(pylate(tmp_path, query_prefix="search: ", prompts={"query": "search: now "})).roles
    assert (roles.query.marker, roles.query.prefix) == ("", "search: now ")


def test_a_padding_token_that_is_the_mask_token_pads_as_the_backbone_wants(tmp_path):
    pylate(tmp_path)
    change(tmp_path / "tokenizer_config.json", pad_token="[MASK]")
    frame = load_reader(tmp_path).frames["query"]
    assert (frame.pad, frame.filler) == (0, 6)


def test_an_added_token_in_a_prompt_is_a_marker(tmp_path):
    prompts = {"query": "[unused0] ", "document": "[unused1]river: "}
    roles = read_layout(native(tmp_path, xlm_roberta, prompts=prompts)).roles
    assert roles.query == RoleSettings(marker="[unused0]", prefix=" ")
    assert roles.document == RoleSettings(marker="[unused1]", prefix="river: ", silent=(",",))
    assert ids(tmp_path, "hello", "query") == ["<s>", "[unused0]", "▁hello", "</s>"]


def test_a_word_of_the_vocabulary_in_a_prompt_is_text(tmp_path):
    roles = read_layout(native(tmp_path, prompts={"query": "query : ", "document": ""})).roles
    assert roles.query == RoleSettings(prefix="query : ")


def test_byte_pairs_see_the_space_behind_a_prefix(tmp_path):
    pooled(tmp_path, modernbert, prompts={"query": "query: "})
    assert ids(tmp_path, "hello", "query") == ["[CLS]", "query", ":", "Ġhello", "[SEP]"]
    assert ids(tmp_path, "hello", "document")[1:-1] != ["Ġhello"]


def test_a_fixed_width_of_queries(tmp_path):
    native(tmp_path)
    change(tmp_path / TRANSFORMER, query_expansion={"strategy": "fixed", "length": 8, "attend": True, "token": "[SEP]"})
    assert read_layout(tmp_path).roles.query == RoleSettings(expand_to=8, attends=True, filler="[SEP]")


def test_silence_in_queries_too(tmp_path):
    roles = read_layout(native(tmp_path, mask={"skiplist_words": ["."], "skiplist_tasks": ["query", "document"]})).roles
    assert roles.query.silent == roles.document.silent == (".",)


def test_several_layers_are_applied_in_order(tmp_path):
    pylate(tmp_path)
    dense(tmp_path, "2_Dense", 16, 24, bias=True, activation_function="torch.nn.modules.activation.Tanh")
    dense(tmp_path, "3_Dense", 24, 8, activation_function="torch.nn.ReLU")
    write_modules(
        tmp_path, [("a.Transformer", "")] + [("pylate.models.Dense.Dense", f"{number}_Dense") for number in (1, 2, 3)]
    )
    encoder = load_encoder(tmp_path).eval()
    first, second, third = (load_file(tmp_path / f"{number}_Dense" / "model.safetensors") for number in (1, 2, 3))
    with torch.no_grad():
        vectors = encoder.backbone(torch.tensor([[4, 107, 104, 5]])).last_hidden_state[0] @ first["linear.weight"].T
        vectors = torch.tanh(vectors @ second["linear.weight"].T + second["linear.bias"])
        vectors = torch.nn.functional.normalize(torch.relu(vectors @ third["linear.weight"].T), dim=-1)
    [ours] = encode_texts(encoder, ["hello"], "document", 20)
    torch.testing.assert_close(ours, vectors, atol=1e-6, rtol=0)


@pytest.mark.parametrize("names", [("query", "document"), ("query", "passage"), ("query", "corpus")])
def test_prompts_of_a_single_vector_model(tmp_path, names):
    prompts = dict(zip(names, ("query: ", "passage: "), strict=True))
    roles = read_layout(pooled(tmp_path, prompts={"document": ""} | prompts)).roles
    assert (roles.query.prefix, roles.document.prefix) == ("query: ", "passage: ")


@pytest.mark.parametrize("mode", [{"pooling_mode_cls_token": True}, {"pooling_mode": "cls"}])
def test_a_pooled_vector_by_hand(tmp_path, mode):
    pooled(tmp_path)
    write(tmp_path / "1_Pooling" / "config.json", mode)
    tokens, text = load_encoder(tmp_path).eval(), load_encoder(tmp_path, pooled=True).eval()
    [all_of_them] = encode_texts(tokens, ["hello world"], "query", 20)
    [one] = encode_texts(text, ["hello world"], "query", 20)
    assert torch.allclose(one, all_of_them[:1])


@pytest.mark.parametrize(
    ("mode", "settings", "message"),
    [
        ({"pooling_mode_max_tokens": True}, {}, r"is pooled by \['pooling_mode_max_tokens'\], and only mean and cls"),
        (
            {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
            {},
            "is pooled by .* and only mean and cls",
        ),
        ({"pooling_mode": "mean", "include_prompt": False}, {}, "is pooled without the prompt"),
        ({"pooling_mode": "mean"}, {"truncate_dim": 8}, "is cut to its first 8 numbers"),
        ({"pooling_mode": "mean"}, {"similarity_fn_name": "dot"}, "is compared by dot, not by cosine"),
    ],
)
def test_a_vector_that_is_not_computed_here_hinders_only_pooling(tmp_path, mode, settings, message):
    pooled(tmp_path, normalise=False, **settings)
    write(tmp_path / "1_Pooling" / "config.json", mode)
    assert load_encoder(tmp_path).dim == 32
    with pytest.raises(DataError, match=message):
        load_encoder(tmp_path, pooled=True)


def test_no_pooling_no_pooled_vector(tmp_path):
    for folder in (bert(tmp_path / "bert"), pylate(tmp_path / "pylate")):
        with pytest.raises(DataError, match="does not say how it makes one vector of a text"):
            load_encoder(folder, pooled=True)


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("1_Dense/config.json", {"use_residual": True}, "has a residual connection"),
        ("1_Dense/config.json", {"in_features": 24}, "takes vectors of width 24, and 32 come in"),
        ("1_Dense/config.json", {"out_features": 24}, r"holds \{'linear.weight': \(16, 32\)\}, and .*24.* is needed"),
        ("1_Dense/config.json", {"bias": True}, "holds .* and .*'linear.bias': .* is needed"),
        ("1_Dense/config.json", {"bias": None, "in_features": "x"}, "does not give shape and activation"),
        (
            "1_Dense/config.json",
            {"activation_function": "my.Own"},
            "has the activation my.Own, and only those of torch",
        ),
        (
            "1_Dense/config.json",
            {"activation_function": "torch.nn.Nothing"},
            "has the activation Nothing, which torch.nn l",
        ),
        ("1_Dense/config.json", {"activation_function": "torch.nn.Parameter"}, "has the activation Parameter, which"),
        (
            "1_Dense/config.json",
            {"activation_function": "torch.nn.Threshold"},
            "has the activation Threshold, which need",
        ),
        ("1_Dense/config.json", {"module_input_name": "sentence_embedding"}, "makes sentence_embedding of sentence_em"),
        ("1_Dense/config.json", {"module_output_name": "other"}, "makes other of token_embeddings, where token_emb"),
        ("2_MultiVectorMask/config.json", {"keep_only_token_ids": [3]}, "masks by other rules than a list of tokens"),
        ("2_MultiVectorMask/config.json", {"skiplist_tasks": ["image"]}, "masks by other rules"),
        (
            "3_Normalize/config.json",
            {"module_input_name": None},
            "makes sentence_embedding of sentence_embedding, where",
        ),
        (TRANSFORMER, {"do_lower_case": True}, "writes texts in lower case before its tokenizer reads them"),
        (TRANSFORMER, {"processing_kwargs": {"text": {"padding": False}}}, "calls its tokenizer with other arguments"),
        (TRANSFORMER, {"transformer_task": "fill-mask"}, "is loaded for the task fill-mask, which is not applied here"),
        (TRANSFORMER, {"modality_config": {"text": {}, "message": {}}}, "also reads message"),
        (TRANSFORMER, {"query_expansion": {"strategy": "min", "length": 8}}, "by the strategy 'min' to 8 tokens"),
        (TRANSFORMER, {"query_expansion": {"strategy": "fixed"}}, "by the strategy 'fixed' to None tokens"),
        (SETTINGS, {"model_type": "CrossEncoder"}, "is a cross-encoder"),
        (SETTINGS, {"model_type": "SparseEncoder"}, "is a sparse encoder"),
    ],
)
def test_what_is_not_applied_is_refused_by_name(tmp_path, file, values, message):
    native(tmp_path)
    change(tmp_path / file, **values)
    with pytest.raises(DataError, match=message) as caught:
        load_encoder(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_module_of_another_kind_is_refused_by_name(tmp_path):
    native(tmp_path)
    modules = json.loads((tmp_path / "modules.json").read_text())
    write(tmp_path / "modules.json", [*modules, {"idx": 4, "path": "4", "type": "a.HierarchicalTokenPooling"}])
    with pytest.raises(DataError, match="has a module HierarchicalTokenPooling, which is not applied here"):
        load_encoder(tmp_path)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [("Normalize", "does not scale its token vectors to length 1"), ("Mask", "has no MultiVectorMask")],
)
def test_a_module_that_is_needed_is_missed(tmp_path, left_out, message):
    native(tmp_path)
    change(tmp_path / TRANSFORMER, query_expansion={"strategy": "fixed", "length": 8})
    modules = json.loads((tmp_path / "modules.json").read_text())
    write(tmp_path / "modules.json", [module for module in modules if left_out not in module["type"]])
    with pytest.raises(DataError, match=message):
        load_encoder(tmp_path)


def test_a_transformer_in_a_subfolder_is_refused_by_name(tmp_path):
    bert(tmp_path / "0_Transformer")
    write_modules(tmp_path, [("sentence_transformers.models.Transformer", "0_Transformer")])
    with pytest.raises(DataError, match="keeps its transformer in the subfolder 0_Transformer; load and save it with"):
        check_folder(tmp_path)


def test_no_list_of_modules(tmp_path):
    bert(tmp_path)
    for content in ("[", '{"a": 1}', "[1]"):
        (tmp_path / "modules.json").write_text(content)
        with pytest.raises(DataError, match="is no list of modules"):
            load_encoder(tmp_path)


def test_the_fingerprint_sees_every_file_that_decides(tmp_path):
    before = weights_fingerprint(native(tmp_path))
    for file in ("1_Dense/config.json", "2_MultiVectorMask/config.json", SETTINGS, TRANSFORMER, "modules.json"):
        content = json.loads((tmp_path / file).read_text())
        write(tmp_path / file, content | {"a": 1} if isinstance(content, dict) else [*content, {}])
        after = weights_fingerprint(tmp_path) if file != "modules.json" else None
        assert after is None or [name for name in before if before[name] != after[name]] == [file]
        write(tmp_path / file, content)
    assert "modules.json" in before


@pytest.mark.parametrize("family", MAKERS)
def test_settings_of_lengths_are_left_to_the_recipe(tmp_path, family):
    pooled(tmp_path, MAKERS[family])
    write(tmp_path / TRANSFORMER, {"max_seq_length": 5})
    assert read(tmp_path / TRANSFORMER) == {"max_seq_length": 5}
    [rows] = encode_texts(load_encoder(tmp_path).eval(), ["hello world rain sun hello world"], "document", 7)
    assert len(rows) == 7
