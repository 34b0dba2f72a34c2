"""Learning rates per part: every parameter's factor by its name, what a step does with it, and the default."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn
from transformers import AlbertConfig, AlbertModel

from optical.data.batches.batch import PairBatch
from optical.errors import DataError
from optical.model.encoder import Encoder
from optical.model.head import Dense
from optical.model.trained_rows import train_rows
from optical.objectives.base import Outcome
from optical.train.config import TrainConfig
from optical.train.optimiser import build_optimiser
from optical.train.parts import rate_factors
from optical.train.step import update
from tests.model.families import FAMILIES, bert, deberta, drawn, modernbert
from tests.readers import reader, tokens_of


@pytest.fixture
def made(tokenizer) -> Callable[..., Encoder]:
    """Makes an encoder of a family with three layers and a projection."""
    return lambda family: Encoder(drawn(family, 40, 3), reader(tokenizer), nn.Sequential(Dense(16, 8)))


def factors(encoder: Encoder, **settings: float) -> dict[str, float]:
    """The factor of every parameter that the optimiser moves, by its name."""
    optimiser = build_optimiser(encoder, TrainConfig(**settings))
    by_id = {id(parameter): group["factor"] for group in optimiser.param_groups for parameter in group["params"]}
    return {name: by_id[id(value)] for name, value in encoder.named_parameters() if value.requires_grad}


@pytest.mark.parametrize("family", FAMILIES)
def test_words_and_projection_have_rates_of_their_own(made, family):
    for name, factor in factors(made(family), embedding_rate=0.5, head_rate=10.0).items():
        word = name.endswith(("word_embeddings.weight", "tok_embeddings.weight"))
        assert factor == (0.5 if word else 10.0 if name == "head.0.linear.weight" else 1.0), name


@pytest.mark.parametrize("family", FAMILIES)
def test_the_rate_falls_from_layer_to_layer_and_is_lowest_in_the_embeddings(made, family):
    for name, factor in factors(made(family), layer_decay=0.5).items():
        layer = [depth for depth in range(3) if f"layer.{depth}." in name or f"layers.{depth}." in name]
        expected = 0.5 ** (2 - layer[0]) if layer else 0.125 if ".embeddings." in name else 1.0
        assert factor == expected, name


def test_what_comes_after_the_layers_has_the_rate_of_the_top(made):
    assert factors(made(modernbert), layer_decay=0.5)["backbone.final_norm.weight"] == 1.0
    assert factors(made(deberta), layer_decay=0.5)["backbone.encoder.rel_embeddings.weight"] == 1.0


def test_word_embeddings_have_both_factors_and_the_rows_that_occur_have_them_too(made):
    encoder = made(bert)
    train_rows(encoder.backbone, np.arange(5))
    found = factors(encoder, layer_decay=0.5, embedding_rate=4.0)
    assert found["backbone.embeddings.word_embeddings.rows.weight"] == 0.5
    assert "backbone.embeddings.word_embeddings.whole.weight" not in found


def test_weights_that_decay_are_the_same_with_rates_per_part(made):
    encoder = made(bert)
    decays = []
    for settings in ({}, {"layer_decay": 0.5, "embedding_rate": 0.1, "head_rate": 3.0}):
        groups = build_optimiser(encoder, TrainConfig(weight_decay=0.05, **settings)).param_groups
        decays.append({id(parameter): group["weight_decay"] for group in groups for parameter in group["params"]})
    assert decays[0] == decays[1]
    assert set(decays[0].values()) == {0.05, 0.0}


def test_the_default_is_two_groups_at_the_rate_of_the_step(made):
    encoder = made(bert)
    assert rate_factors(encoder, TrainConfig()) == {}
    groups = build_optimiser(encoder, TrainConfig()).param_groups
    assert [(group["weight_decay"], group["factor"]) for group in groups] == [(0.01, 1.0), (0.0, 1.0)]


def test_a_step_moves_each_part_by_its_rate(made):
    """The first update of AdamW without decay is the learning rate, whatever the gradient."""
    encoder = made(bert)
    before = copy.deepcopy(encoder.state_dict())
    settings = {"weight_decay": 0.0, "layer_decay": 0.5, "embedding_rate": 2.0, "head_rate": 4.0}
    optimiser = build_optimiser(encoder, TrainConfig(**settings))
    ids = torch.ones(1, 2, dtype=torch.long)
    batch = PairBatch(0, 1, tokens_of(ids), tokens_of(ids), torch.ones(1))

    def objective(encoder: nn.Module, _: PairBatch) -> Outcome:
        return Outcome(sum(parameter.sum() for parameter in encoder.parameters()), {})

    update(encoder, objective, optimiser, batch, 1e-3, 1e9)
    expected = {"head.0.linear.weight": 4e-3, "backbone.embeddings.word_embeddings.weight": 0.25e-3}
    expected |= {f"backbone.encoder.layer.{depth}.output.dense.bias": 1e-3 * 0.5 ** (2 - depth) for depth in range(3)}
    for name, size in expected.items():
        moved = before[name] - encoder.state_dict()[name]
        torch.testing.assert_close(moved, torch.full_like(moved, size), atol=1e-6, rtol=0)


def test_decay_by_layer_needs_layers(tokenizer):
    sizes = {"embedding_size": 8, "hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
    encoder = Encoder(AlbertModel(AlbertConfig(vocab_size=30, num_hidden_layers=4, **sizes)), reader(tokenizer))
    with pytest.raises(DataError, match="^model type albert: no list of 4 layers"):
        build_optimiser(encoder, TrainConfig(layer_decay=0.9))
    build_optimiser(encoder, TrainConfig(embedding_rate=0.9))
