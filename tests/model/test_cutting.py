"""A backbone keeps its first layers, computes what they compute, and loads from its folder; or is refused by name."""

import copy

import pytest
import torch
from torch import nn
from transformers import AlbertConfig, AlbertModel, AutoModel, DistilBertConfig, DistilBertModel

from optical.errors import DataError, UserError
from optical.model.cutting import keep_layers, layers_of
from tests.model.families import FAMILIES, bert, drawn

IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 0]])
MASK = torch.tensor([[1, 1, 1, 1], [1, 1, 1, 0]])


def distilbert(words: int, layers: int) -> DistilBertModel:
    sizes = {"dim": 16, "n_heads": 2, "hidden_dim": 24, "dropout": 0.0, "attention_dropout": 0.0}
    return DistilBertModel(DistilBertConfig(vocab_size=words, n_layers=layers, **sizes))


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("family", [*FAMILIES, distilbert])
def test_the_first_layers_stay_and_the_folder_loads(family, count, tmp_path):
    whole = drawn(family, 30, 4).eval()
    cut = copy.deepcopy(whole)
    keep_layers(cut, count)
    assert cut.config.num_hidden_layers == len(layers_of(cut)) == count
    cut.save_pretrained(tmp_path)
    back, report = AutoModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"] - {"pooler.dense.weight", "pooler.dense.bias"}
    assert not report["unexpected_keys"]
    with torch.no_grad():
        full = whole(IDS, attention_mask=MASK, output_hidden_states=True)
        found = back.eval()(IDS, attention_mask=MASK).last_hidden_state
    expected = full.hidden_states[count]
    if hasattr(whole, "final_norm"):
        expected = whole.final_norm(expected)
    torch.testing.assert_close(found[MASK.bool()], expected[MASK.bool()], atol=1e-6, rtol=0)


def test_zero_keeps_all():
    backbone = drawn(bert, 30, 2)
    keep_layers(backbone, 0)
    assert len(layers_of(backbone)) == backbone.config.num_hidden_layers == 2


def test_more_layers_than_there_are_is_refused():
    with pytest.raises(UserError, match="^student.layers: is 3, and bert has 2 layers; set at most 2, or 0 for all"):
        keep_layers(drawn(bert, 30, 2), 3)


def test_layers_that_share_weights_are_refused_by_name():
    sizes = {"embedding_size": 8, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    shared = AlbertModel(AlbertConfig(vocab_size=30, num_hidden_layers=4, **sizes))
    with pytest.raises(DataError, match="^model type albert: no list of 4 layers among its modules, and exactly one"):
        keep_layers(shared, 2)


def test_two_lists_of_that_length_are_refused_and_a_list_inside_a_layer_is_none():
    backbone = drawn(bert, 30, 2)
    layers_of(backbone)[0].inner = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert layers_of(backbone) is backbone.encoder.layer
    backbone.other = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    with pytest.raises(DataError, match=r"^model type bert: 2 lists \(encoder.layer, other\) of 2 layers"):
        keep_layers(backbone, 1)
