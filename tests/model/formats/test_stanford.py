"""Folders of ColBERT, PLAID-X and ColBERT-X: the ids of both conventions, and what the metadata say."""

import string

import pytest
import torch
from safetensors.torch import load_file, save_file

from optical.errors import DataError
from optical.model.encode import encode_texts
from optical.model.folder import read_shape, weights_fingerprint
from optical.model.formats.layout import read_layout
from optical.model.storage import load_encoder
from optical.model.text.padding import pad
from optical.model.text.reader import load_reader
from tests.model.formats.folders import bert, change, read, stanford, write, xlm_roberta

PLAID_X = {"kd_loss": "KLD", "nolangreg": True}
SAID = {"optical": {"markers": "overwrite_dot"}}


def tokens_of(folder, text: str, role: str) -> list[str]:
    reader = load_reader(folder)
    return list(reader.tokens_of(reader.encode([text], role).to_pylist()[0]))


@pytest.mark.parametrize("metadata", [{}, PLAID_X, SAID], ids=["insert", "PLAID-X", "said by the user"])
def test_on_bert_both_conventions_give_the_same_ids(tmp_path, metadata):
    reader = load_reader(stanford(tmp_path, **metadata))
    # [CLS] [unused0] hello , world [SEP]: behind 7 special tokens, 32 marks and 52 pieces of letters come the words.
    words = 7 + 32 + 52
    assert reader.encode(["Hello, world"], "query").to_pylist() == [[4, 1, words + 13, 7 + 11, words + 14, 5]]
    assert reader.encode(["Hello, world"], "document").to_pylist() == [[4, 2, words + 13, 7 + 11, words + 14, 5]]
    # Cut to four, behind [CLS], the marker and one word stands the closing token.
    assert reader.encode(["Hello, world"], "document", 4).to_pylist() == [[4, 2, words + 13, 5]]
    assert reader.frames["document"].silent == tuple(range(7, 39))


def test_on_xlm_r_markers_are_inserted(tmp_path):
    folder = stanford(tmp_path, xlm_roberta, "roberta")
    assert tokens_of(folder, "hello world", "query") == ["<s>", "[unused0]", "▁hello", "▁world", "</s>"]
    # Behind 4 special tokens come the sign for a space and 15 words, of which these are the last two.
    last = 4 + 1 + 13
    size = 4 + 1 + 15 + 32 + 52 + 1  # the mask token ends the vocabulary, and the markers are added behind it
    reader = load_reader(folder)
    assert reader.encode(["hello world"], "query").to_pylist() == [[0, size, last, last + 1, 2]]
    assert reader.encode(["hello world"], "document").to_pylist() == [[0, size + 1, last, last + 1, 2]]


@pytest.mark.parametrize("metadata", [PLAID_X, SAID], ids=["PLAID-X", "said by the user"])
def test_on_xlm_r_an_overwritten_dot_leaves_a_token_in_every_text(tmp_path, metadata):
    folder = stanford(tmp_path, xlm_roberta, "roberta", **metadata)
    assert tokens_of(folder, "hello world", "query") == ["<s>", "[unused0]", ".", "▁hello", "▁world", "</s>"]
    assert tokens_of(folder, "", "document") == ["<s>", "[unused1]", ".", "</s>"]
    assert tokens_of(folder, ". hello", "document") == ["<s>", "[unused1]", ".", "▁", ".", "▁hello", "</s>"]


def test_the_user_has_the_last_word(tmp_path):
    folder = stanford(tmp_path, xlm_roberta, "roberta", **PLAID_X, optical={"markers": "insert"})
    assert tokens_of(folder, "hello", "query") == ["<s>", "[unused0]", "▁hello", "</s>"]


def test_on_xlm_r_the_first_piece_of_punctuation_is_the_sign_for_a_space(tmp_path):
    folder = stanford(tmp_path, xlm_roberta, "roberta")
    reader = load_reader(folder)
    assert reader.frames["document"].silent == (reader.id_of("▁", "space"),)
    batch = pad(reader.encode(["hello , world!"], "document"), reader.frames["document"])
    silent = [
        token
        for token, scored in zip(tokens_of(folder, "hello , world!", "document"), batch.scored[0], strict=True)
        if not scored
    ]
    assert silent == ["▁"]


def test_queries_are_filled_with_the_mask_token(tmp_path):
    for number, attends in enumerate((False, True)):
        reader = load_reader(stanford(tmp_path / str(number), attend_to_mask_tokens=attends))
        frame = reader.frames["query"]
        batch = pad(reader.encode(["hello", "hello world " * 9], "query", 32), frame)
        assert batch.ids.shape == (2, 12)
        assert batch.ids[0].tolist() == [4, 1, 104, 5] + [6] * 8
        assert batch.ids[1, -1] == 5
        assert batch.scored.all()
        assert batch.mask[0].tolist() == [True] * 4 + [attends] * 8
        assert not reader.frames["document"].expand_to


def test_what_the_metadata_do_not_say_is_as_colbert_has_it(tmp_path):
    folder = stanford(tmp_path)
    (folder / "artifact.metadata").unlink()
    roles = read_layout(folder).roles
    assert (roles.query.marker, roles.query.expand_to, roles.query.attends) == ("[unused0]", 32, False)
    assert (roles.document.marker, roles.document.silent) == ("[unused1]", tuple(string.punctuation))


@pytest.mark.parametrize("bias", [False, True])
def test_the_projection_is_applied(tmp_path, bias):
    folder = stanford(tmp_path)
    weights = load_file(folder / "model.safetensors")
    if bias:
        weights["linear.bias"] = torch.randn(16)
        save_file(weights, folder / "model.safetensors", {"format": "pt"})
    encoder = load_encoder(folder).eval()
    assert (encoder.dim, read_shape(folder).dim) == (16, 16)
    [ours] = encode_texts(encoder, ["hello"], "document", 20)
    with torch.no_grad():
        hidden = encoder.backbone(torch.tensor([[4, 2, 104, 5]])).last_hidden_state[0]
    by_hand = hidden @ weights["linear.weight"].T + (weights["linear.bias"] if bias else 0)
    torch.testing.assert_close(ours, torch.nn.functional.normalize(by_hand, dim=-1), atol=1e-6, rtol=0)


def test_sharded_weights_are_found(tmp_path):
    folder = stanford(tmp_path)
    weights = load_file(folder / "model.safetensors")
    whole = load_encoder(folder).eval()
    parts = {"a.safetensors": {}, "b.safetensors": {}}
    for number, name in enumerate(sorted(weights)):
        parts["ab"[number % 2] + ".safetensors"][name] = weights[name]
    for file, part in parts.items():
        save_file(part, folder / file, {"format": "pt"})
    (folder / "model.safetensors").unlink()
    where = {name: file for file, part in parts.items() for name in part}
    write(folder / "model.safetensors.index.json", {"metadata": {}, "weight_map": where})
    [ours], [theirs] = (encode_texts(each, ["hello"], "query", 20) for each in (load_encoder(folder).eval(), whole))
    assert torch.equal(ours, theirs)
    assert {"a.safetensors", "b.safetensors", "artifact.metadata"} <= set(weights_fingerprint(folder))


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"similarity": "l2"}, "scores by the similarity 'l2', and only 'cosine' is applied"),
        ({"similarity": "dot"}, "scores by the similarity 'dot'"),
        ({"optical": {"markers": "dollar"}}, "places markers by 'dollar'; set optical.markers to one of insert, over"),
        ({"query_maxlen": "long"}, "has the query_maxlen 'long', which is no number"),
        ({"query_maxlen": 41}, "fills a query up to 41 tokens, and its positions end at 40"),
        ({"dim": 128}, "says dim 128, and linear.weight projects to 16"),
        ({"doc_token_id": "[unused9]"}, r"lacks '\[unused9\]', the marker of a document"),
    ],
)
def test_what_is_not_applied_is_refused_by_name(tmp_path, metadata, message):
    with pytest.raises(DataError, match=message):
        load_encoder(stanford(tmp_path, **metadata))


def test_a_folder_without_its_projection_is_refused(tmp_path):
    bert(tmp_path)
    write(tmp_path / "artifact.metadata", {})
    with pytest.raises(DataError, match=r"is a folder of ColBERT, and its weights lack the projection linear\.weight"):
        load_encoder(tmp_path)


def test_a_wrong_prefix_is_refused(tmp_path):
    with pytest.raises(DataError, match="its weights do not fit xlm-roberta: it lacks embeddings"):
        load_encoder(stanford(tmp_path, xlm_roberta, prefix="bert"))


def test_our_own_key_goes_before_the_metadata(tmp_path):
    stanford(tmp_path)
    role = {"marker": "[unused1]", "silent": ["."]}
    change(tmp_path / "config_sentence_transformers.json", optical={"roles": {"query": role, "document": role}})
    assert read_layout(tmp_path).roles.query.marker == "[unused1]"
    own = read(tmp_path / "config_sentence_transformers.json")["optical"]
    own["roles"]["query"]["unheard_of"] = 1
    change(tmp_path / "config_sentence_transformers.json", optical=own)
    with pytest.raises(DataError, match="has roles under 'optical' that are not read"):
        read_layout(tmp_path)
