"""Training the word embeddings that occur gives the weights of training all of them, in every family."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from optical.data.batches.batch import PairBatch
from optical.errors import DataError
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.padding import TokenBatch
from optical.model.trained_rows import TrainedRows, put_rows_back, train_rows
from optical.objectives.base import Outcome
from optical.train.config import TrainConfig
from optical.train.optimiser import build_optimiser
from optical.train.step import update
from tests.model.families import FAMILIES, drawn, xlm_roberta
from tests.readers import reader

WORDS, STEPS = 60, 20
IDS = np.array([0, 1, 5, 6, 7, 20, 21, 40, 59])
"""Padding of all families, and the words below."""


def batch(step: int) -> PairBatch:
    """Four sentences of two to six tokens, padded."""
    draw = torch.Generator().manual_seed(step)
    ids = torch.from_numpy(IDS[2:])[torch.randint(len(IDS) - 2, (4, 6), generator=draw)]
    mask = torch.arange(6) < torch.tensor([2, 6, 3, 5]).unsqueeze(1)
    tokens = TokenBatch(ids, mask, mask, mask)
    return PairBatch(step, 4, tokens, tokens, torch.ones(4))


def objective(encoder: nn.Module, pairs: PairBatch) -> Outcome:
    """Turns every token towards one direction, the next step towards another."""
    aim = nn.functional.normalize(torch.randn(16, generator=torch.Generator().manual_seed(pairs.step)), dim=0)
    return Outcome(-(encoder(pairs.source.ids, pairs.source.mask) @ aim)[pairs.source.mask].mean(), {})


def trained(encoder: Encoder, max_grad_norm: float, padding: int) -> tuple[dict[str, torch.Tensor], list[float]]:
    """Weights and gradient norms after twenty steps of AdamW, in which layers and embeddings move."""
    optimiser = build_optimiser(encoder, TrainConfig(weight_decay=0.1))
    norms = []
    for step in range(STEPS):
        pairs = batch(step)
        pairs.source.ids[~pairs.source.mask] = padding
        norms.append(update(encoder, objective, optimiser, pairs, 1e-2, max_grad_norm).grad_norm)
    put_rows_back(encoder.backbone)
    return encoder.state_dict(), norms


@pytest.mark.parametrize("clipped", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_training_the_rows_that_occur_equals_training_all(family, clipped, tokenizer):
    whole = Encoder(drawn(family, WORDS), reader(tokenizer))
    rows = copy.deepcopy(whole)
    before = whole.backbone.get_input_embeddings().weight.detach().clone()
    assert train_rows(rows.backbone, IDS)
    padding = whole.backbone.config.pad_token_id
    limit = 1e-1 if clipped else 1e9
    (expected, norms), (found, row_norms) = (trained(encoder, limit, padding) for encoder in (whole, rows))
    assert min(norms) > 1e-1
    assert row_norms == pytest.approx(norms, rel=1e-6)
    assert found.keys() == expected.keys()
    for name in found:
        # Clipping divides by the norm, whose last bit depends on the order in which it is summed.
        atol = 1e-6 if clipped else 0.0
        torch.testing.assert_close(found[name], expected[name], atol=atol, rtol=0, msg=lambda text, name=name: name)
    after = rows.backbone.get_input_embeddings()
    moved = (after.weight != before).any(1).nonzero().flatten().tolist()
    assert moved == [number for number in IDS[2:].tolist()]
    assert type(after) is nn.Embedding and after.weight.requires_grad


@pytest.mark.parametrize("family", FAMILIES)
def test_a_folder_written_after_training_is_whole(family, tokenizer, tmp_path):
    encoder = Encoder(drawn(family, tokenizer.get_vocab_size()), reader(tokenizer))
    keys = set(encoder.state_dict())
    train_rows(encoder.backbone, IDS)
    with torch.no_grad():
        encoder.backbone.get_input_embeddings().rows.weight[3] = 7.0
    put_rows_back(encoder.backbone)
    assert set(encoder.state_dict()) == keys
    save_encoder(encoder, tmp_path)
    assert (load_encoder(tmp_path).backbone.get_input_embeddings().weight[IDS[3]] == 7.0).all()


@pytest.fixture
def rows() -> TrainedRows:
    """Rows 2, 3 and 7 of nine; the first of them is padding."""
    whole = nn.Embedding(9, 4, padding_idx=2)
    nn.init.normal_(whole.weight, generator=torch.Generator().manual_seed(1))
    return TrainedRows(whole, np.array([2, 3, 7]))


def test_the_small_matrix_alone_is_trained_and_padding_stays(rows):
    assert [name for name, parameter in rows.named_parameters() if parameter.requires_grad] == ["rows.weight"]
    ids = torch.tensor([[3, 7], [3, 2]])
    torch.testing.assert_close(rows(ids), rows.whole.weight[ids], atol=0, rtol=0)
    rows(ids).sum().backward()
    assert rows.rows.weight.grad[:, 0].tolist() == [0.0, 2.0, 1.0]
    assert rows.whole.weight.grad is None


def test_an_id_that_was_not_foreseen_is_refused_in_training_and_read_otherwise(rows):
    ids = torch.tensor([[3, 8], [0, 7]])
    with pytest.raises(DataError, match=r"^word embeddings: token id 8 is in a batch and not in the token shards"):
        rows(ids)
    with torch.no_grad():
        rows.rows.weight[1] = 5.0
        found = rows(ids)
    expected = torch.stack([torch.full((4,), 5.0), *rows.whole.weight.detach()[[8, 0, 7]]]).view(2, 2, 4)
    assert torch.equal(found, expected)


@pytest.mark.parametrize("outside", [9, -1, -2])
def test_an_id_outside_the_vocabulary_is_an_error_as_in_torch(rows, outside):
    with pytest.raises(IndexError), torch.no_grad():
        rows(torch.tensor([[3, outside]]))


def test_padding_that_is_not_among_the_rows_is_no_row():
    rows = TrainedRows(nn.Embedding(9, 4, padding_idx=1), np.array([2, 8]))
    rows(torch.tensor([2, 8])).sum().backward()
    assert rows.rows.weight.grad.tolist() == [[1.0] * 4] * 2


def test_rows_of_other_tokens_are_not_restored(rows):
    other = TrainedRows(nn.Embedding(9, 4), np.array([2, 3, 8]))
    with pytest.raises(DataError, match=r"^word embeddings: a checkpoint holds 3 rows of other tokens than the 3 that"):
        rows.load_state_dict(other.state_dict())
    rows.load_state_dict(TrainedRows(nn.Embedding(9, 4), np.array([2, 3, 7])).state_dict())


class Scaled(nn.Embedding):
    def forward(self, ids):
        return 2 * super().forward(ids)


@pytest.mark.parametrize("embedding", [Scaled(WORDS, 16), nn.Embedding(WORDS, 16, max_norm=1.0)])
def test_an_embedding_that_does_more_than_look_up_is_left_alone(embedding):
    backbone = drawn(xlm_roberta, WORDS)
    backbone.set_input_embeddings(embedding)
    assert not train_rows(backbone, IDS)
    put_rows_back(backbone)
    assert backbone.get_input_embeddings() is embedding
