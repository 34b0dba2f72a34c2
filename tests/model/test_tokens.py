"""Token sequences: cut and padded."""

import os

import numpy as np
import pyarrow as pa
import pytest
import torch

from optical.model.text.padding import pad
from optical.model.text.tokens import IDS, cut, cut_all
from tests.readers import FRAME


@pytest.mark.parametrize(
    ("length", "expected"), [(7, [2, 5, 6, 7, 8, 3]), (6, [2, 5, 6, 7, 8, 3]), (5, [2, 5, 6, 7, 3]), (2, [2, 3])]
)
def test_cut_keeps_the_closing_token(length, expected):
    assert cut([2, 5, 6, 7, 8, 3], length) == expected


def test_cutting_all_is_cutting_each_also_in_a_slice():
    for _ in range(20):
        seed = int.from_bytes(os.urandom(4))
        draw = np.random.default_rng(seed)
        sentences = [draw.integers(0, 99, size).tolist() for size in draw.integers(0, 12, 30)]
        length, start = int(draw.integers(2, 12)), int(draw.integers(0, 29))
        cutting = cut_all(pa.array(sentences, IDS)[start:], length)
        assert cutting.to_pylist() == [cut(ids, length) for ids in sentences[start:]], seed


def test_pad_by_hand():
    sentences = [[2, 7, 3], [2, 3], [2, 8, 9, 3]]
    for given in (sentences, pa.array([[5], *sentences, [6, 6]], IDS)[1:4]):
        batch = pad(given, FRAME)
        ids, mask = batch.ids, batch.mask
        assert batch.scored.tolist() == mask.tolist()
        assert batch.inner.int().tolist() == [[0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 1, 0]]
        torch.testing.assert_close(ids, torch.tensor([[2, 7, 3, 0], [2, 3, 0, 0], [2, 8, 9, 3]]))
        torch.testing.assert_close(mask.int(), torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]).int())


def test_a_zero_id_inside_a_sentence_is_no_padding():
    batch = pad([[2, 0, 3], [4]], FRAME)
    ids, mask = batch.ids, batch.mask
    assert ids.tolist() == [[2, 0, 3], [4, 0, 0]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]
