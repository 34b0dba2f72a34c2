"""The encoder: one unit vector per token, and a folder that the field's own tools load."""

import dataclasses
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoTokenizer

from optical.errors import DataError
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.scratch import scratch_encoder
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.padding import pad

TEXTS = ["child water school", "house", "book river food teacher road sun rain"]


def states_equal(one: Encoder, other: Encoder) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_every_token_is_a_unit_vector(encoder):
    rows = encode_texts(encoder, TEXTS, "query", 64)
    assert [tuple(row.shape) for row in rows] == [(5, 16), (3, 16), (9, 16)]
    for row in rows:
        torch.testing.assert_close(row.norm(dim=1), torch.ones(len(row)))
    assert encoder.dim == 16


def test_encode_is_forward_without_padding(encoder):
    batch = pad(encoder.reader.encode(TEXTS, "query"), encoder.reader.frames["query"])
    mask = batch.mask
    with torch.no_grad():
        embeddings = encoder(batch.ids, batch.mask)
    for row, encoded in zip(range(3), encode_texts(encoder, TEXTS, "query", 64), strict=True):
        assert torch.equal(embeddings[row][mask[row]], encoded)


def test_padding_does_not_change_a_sentence(encoder):
    together = encode_texts(encoder, TEXTS, "query", 64)[1]
    torch.testing.assert_close(together, encode_texts(encoder, TEXTS[1:2], "query", 64)[0], atol=1e-5, rtol=0)


def test_a_long_text_is_cut_and_keeps_its_closing_token(encoder):
    [row] = encode_texts(encoder, [TEXTS[2]], "query", 4)
    torch.testing.assert_close(row, encode_texts(encoder, ["book river"], "query", 64)[0], atol=1e-5, rtol=0)


def test_a_token_sees_its_neighbours(encoder):
    first, second = encode_texts(encoder, ["water school", "water house"], "query", 8)
    assert not torch.allclose(first[1], second[1], atol=1e-4)


def test_the_same_seed_gives_the_same_weights(tiny, tokenizer):
    one = scratch_encoder(tiny, tokenizer, seed=3)
    torch.manual_seed(99)
    assert states_equal(one, scratch_encoder(tiny, tokenizer, seed=3))
    assert not states_equal(one, scratch_encoder(tiny, tokenizer, seed=4))


def test_making_an_encoder_leaves_the_global_random_state_alone(tiny, tokenizer):
    before = torch.random.get_rng_state()
    scratch_encoder(tiny, tokenizer, seed=3)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_round_trip_is_equal_to_the_bit(encoder, encoder_folder):
    back = load_encoder(encoder_folder).eval()
    assert states_equal(encoder, back)
    assert all(
        torch.equal(a, b)
        for a, b in zip(encode_texts(encoder, TEXTS, "query", 64), encode_texts(back, TEXTS, "query", 64), strict=True)
    )


def test_an_encoder_without_projection_keeps_the_hidden_width(encoder, tmp_path):
    bare = Encoder(encoder.backbone, encoder.reader)
    save_encoder(bare, tmp_path)
    back = load_encoder(tmp_path)
    assert (bare.dim, back.dim, len(back.head)) == (32, 32, 0)


def test_training_mode_draws_no_random_numbers(encoder_folder):
    config = json.loads((encoder_folder / "config.json").read_text())
    (encoder_folder / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.5}))
    encoder = load_encoder(encoder_folder).train()
    one, other = encode_texts(encoder, TEXTS, "query", 64), encode_texts(encoder, TEXTS, "query", 64)
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_transformers_loads_the_folder_and_computes_the_same(encoder, encoder_folder):
    model = AutoModel.from_pretrained(encoder_folder, add_pooling_layer=False).eval()
    tokens = AutoTokenizer.from_pretrained(encoder_folder)(TEXTS, padding=True, return_tensors="pt")
    projection = load_file(encoder_folder / "1_Dense" / "model.safetensors")["linear.weight"]
    with torch.no_grad():
        hidden = model(input_ids=tokens["input_ids"], attention_mask=tokens["attention_mask"]).last_hidden_state
    theirs = torch.nn.functional.normalize(hidden @ projection.T, dim=-1)
    for row, ours in enumerate(encode_texts(encoder, TEXTS, "query", 64)):
        real = theirs[row][tokens["attention_mask"][row].bool()]
        torch.testing.assert_close(real, ours, atol=1e-5, rtol=0)


def test_the_dense_folder_is_described_as_sentence_transformers_does(encoder_folder):
    facts = json.loads((encoder_folder / "1_Dense" / "config.json").read_text())
    assert facts["in_features"] == 32
    assert facts["out_features"] == 16
    assert facts["bias"] is False
    assert facts["activation_function"] == "torch.nn.modules.linear.Identity"


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_a_missing_file_is_named(encoder_folder, name):
    (encoder_folder / name).unlink()
    with pytest.raises(DataError, match=f"a model folder needs {name}, and it is missing"):
        load_encoder(encoder_folder)


def test_truncated_weights_are_a_data_error(encoder_folder):
    weights = encoder_folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(DataError, match="weights do not load"):
        load_encoder(encoder_folder)


def test_a_projection_folder_without_weights_is_a_data_error(encoder_folder):
    (encoder_folder / "1_Dense" / "model.safetensors").unlink()
    with pytest.raises(DataError, match="weights do not load"):
        load_encoder(encoder_folder)


def test_a_projection_of_another_name_is_a_data_error(encoder_folder):
    save_file({"weight": torch.zeros(16, 32)}, encoder_folder / "1_Dense" / "model.safetensors")
    with pytest.raises(DataError):
        load_encoder(encoder_folder)


def test_a_scratch_encoder_has_the_shape_asked_for(tiny, tokenizer):
    wider = scratch_encoder(dataclasses.replace(tiny, hidden=48, layers=2, dim=24), tokenizer, seed=0)
    config = wider.backbone.config
    assert (config.hidden_size, config.num_hidden_layers, config.intermediate_size, wider.dim) == (48, 2, 192, 24)
    assert config.vocab_size == tokenizer.get_vocab_size()
    assert not [name for name, _ in wider.named_parameters() if "pooler" in name]
