"""A new projection behind a pretrained encoder: where the training of a narrower teacher starts."""

import pytest
import torch

from optical.model.scratch import projected
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.padding import pad
from tests.readers import FRAME, ids_of


@pytest.fixture
def batch(bitext, tokenizer):
    return pad(ids_of(tokenizer, [target for _, target in bitext[:4]]), FRAME)


def test_a_narrower_projection_has_orthonormal_rows_of_its_seed(encoder):
    one, again, other = (projected(encoder, 12, seed).head[-1].linear.weight for seed in (0, 0, 1))
    torch.testing.assert_close(one @ one.T, torch.eye(12), atol=1e-5, rtol=0)
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_a_projection_as_wide_as_the_embeddings_or_wider_keeps_every_angle(encoder, batch):
    before = encoder(batch.ids, batch.mask)
    for dim in (16, 20):
        after = projected(encoder, dim, 0)(batch.ids, batch.mask)
        torch.testing.assert_close(after @ after.mT, before @ before.mT, atol=1e-5, rtol=0)


def test_it_follows_the_projection_that_is_there_and_both_are_saved(encoder, batch, tmp_path):
    narrow = projected(encoder, 6, 0).eval()
    assert (encoder.dim, narrow.dim, len(narrow.head)) == (16, 6, 2)
    expected = encoder(batch.ids, batch.mask) @ narrow.head[-1].linear.weight.T
    found = narrow(batch.ids, batch.mask)
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected, dim=-1), atol=1e-5, rtol=0)
    save_encoder(narrow, tmp_path)
    assert torch.equal(load_encoder(tmp_path).eval()(batch.ids, batch.mask), found)
