"""Token sequences: cut, padded, and read back from shards."""

import pyarrow.parquet as pq
import pytest
import torch

from optical.data.tokens import cut, pad, read_tokens


@pytest.mark.parametrize(
    ("length", "expected"), [(7, [2, 5, 6, 7, 8, 3]), (6, [2, 5, 6, 7, 8, 3]), (5, [2, 5, 6, 7, 3]), (2, [2, 3])]
)
def test_cut_keeps_the_closing_token(length, expected):
    assert cut([2, 5, 6, 7, 8, 3], length) == expected


def test_pad_by_hand():
    ids, mask = pad([[2, 7, 3], [2, 3], [2, 8, 9, 3]])
    torch.testing.assert_close(ids, torch.tensor([[2, 7, 3, 0], [2, 3, 0, 0], [2, 8, 9, 3]]))
    torch.testing.assert_close(mask.int(), torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0], [1, 1, 1, 1]]).int())


def test_a_zero_id_inside_a_sentence_is_no_padding():
    ids, mask = pad([[2, 0, 3], [4]])
    assert ids.tolist() == [[2, 0, 3], [4, 0, 0]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]


def test_shards_are_read_in_order_and_by_split(tmp_path, id_table):
    first, second = [([2, 5, 3], [2, 6, 7, 3]), ([2, 8, 3], [2, 9, 3])], [([2, 5, 5, 5, 3], [2, 6, 3])]
    pq.write_table(id_table(second), tmp_path / "train-00001.parquet")
    pq.write_table(id_table(first), tmp_path / "train-00000.parquet")
    pq.write_table(id_table(first[:1]), tmp_path / "dev-00000.parquet")
    train = read_tokens(tmp_path)
    assert len(train) == 3
    assert len(read_tokens(tmp_path, "dev")) == 1
    assert train.source_lengths.tolist() == [3, 3, 5]
    assert train.target_lengths.tolist() == [4, 3, 3]
    assert train.sentences("source", [2, 0], 4) == [[2, 5, 5, 3], [2, 5, 3]]
    assert train.sentences("target", [0], 3) == [[2, 6, 3]]
