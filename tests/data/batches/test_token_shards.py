"""Token shards: held-out pairs are never trained on, row groups are of one data set, any rows can be read back."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from optical import artefacts
from optical.data.batches.token_shards import TOKENS, open_tokens, read_lengths, read_split
from optical.data.batches.tokenise import write_tokens
from optical.errors import DataError
from tests.readers import FRAME, FRAMES

PAIR = ([2, 7, 3], [2, 7, 3])


def numbered(num_pairs: int) -> list[tuple[list[int], list[int]]]:
    """Pair i holds the ids 10 + i and 50 + i."""
    return [([2, 10 + i, 3], [2, *[50 + i] * (1 + i % 3), 3]) for i in range(num_pairs)]


def numbers(path, split: str = "train") -> list[int]:
    return [ids[1] - 10 for ids in read_split(path, split).source_ids.to_pylist()]


SMALL = {"rows_per_group": 4, "rows_per_shard": 10}


@pytest.mark.parametrize("rows_per_table", [1, 3, 20])
def test_the_dev_split_is_disjoint_even_and_counted(tmp_path, id_table, rows_per_table):
    tables = [id_table(numbered(20)[start : start + rows_per_table]) for start in range(0, 20, rows_per_table)]
    path = tmp_path / "tokens"
    write_tokens(path, "f" * 64, tables, FRAMES, 20, 5)
    assert numbers(path, "dev") == [0, 4, 9, 14, 19]
    assert sorted(numbers(path) + numbers(path, "dev")) == list(range(20))
    info = {"datasets": ["toy"], "pairs": 20, "train": 15, "dev": 5, "no_tokens": 0}
    frames = {side: FRAME.as_dict() for side in ("source", "target")}
    assert artefacts.read(path, TOKENS).info == info | {"frames": frames}


def test_a_pair_without_tokens_is_dropped_and_counted(tmp_path, id_table):
    pairs = [PAIR] * 3 + [([2, 3], [2, 7, 3]), ([2, 7, 3], [2, 3])] + [PAIR] * 3
    write_tokens(tmp_path / "tokens", "f" * 64, [id_table(pairs)], FRAMES, 8, 2)
    info = artefacts.read(tmp_path / "tokens", TOKENS).info
    assert (info["pairs"], info["train"], info["dev"], info["no_tokens"]) == (8, 4, 2, 2)


def test_too_few_pairs_to_hold_any_out(tmp_path):
    with pytest.raises(DataError, match="7 pairs, of which 4 would be held out; give more bitext or set bitext.dev"):
        write_tokens(tmp_path / "tokens", "f" * 64, [], FRAMES, 7, 4)


def test_nothing_but_special_tokens_is_a_data_error(tmp_path, id_table):
    with pytest.raises(DataError, match="none of 6 pairs has words on both sides"):
        write_tokens(tmp_path / "tokens", "f" * 64, [id_table([([2, 3], [2, 7, 3])] * 6)], FRAMES, 6, 2)
    assert list(tmp_path.iterdir()) == []


def test_row_groups_are_full_and_of_one_data_set(tmp_path, id_table):
    path = tmp_path / "tokens"
    first, second = numbered(20)[:9], numbered(20)[9:]
    tables = [id_table(first, "a"), id_table(second[:2], "b"), id_table(second[2:], "b")]
    write_tokens(path, "f" * 64, tables, FRAMES, 20, 0, **SMALL)
    tokens = open_tokens(path)
    # A shard ends after ten rows, which cuts one group in two.
    assert np.diff(tokens.starts).tolist() == [4, 4, 1, 1, 3, 4, 3]
    assert tokens.dataset.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert (tokens.dataset_names, tokens.dataset_sizes.tolist()) == (("a", "b"), [9, 11])
    assert tokens.shards == ("train-00000.parquet", "train-00001.parquet")
    assert numbers(path) == list(range(20))


def test_any_pairs_can_be_read_in_any_order(tmp_path, id_table):
    path = tmp_path / "tokens"
    write_tokens(
        path, "f" * 64, [id_table(numbered(13), "a"), id_table(numbered(20)[13:], "b")], FRAMES, 20, 0, **SMALL
    )
    wanted = np.array([19, 0, 7, 7, 14, 3])
    pairs = open_tokens(path).take(wanted)
    assert [ids[1] - 10 for ids in pairs.source_ids.to_pylist()] == wanted.tolist()
    assert [ids[1] - 50 for ids in pairs.target_ids.to_pylist()] == wanted.tolist()
    assert pairs.dataset.tolist() == [1, 0, 0, 0, 1, 0]


def test_only_the_row_groups_needed_are_read(tmp_path, id_table, monkeypatch):
    path = tmp_path / "tokens"
    write_tokens(path, "f" * 64, [id_table(numbered(20))], FRAMES, 20, 0, **SMALL)
    read, real = [], pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile, "read_row_groups", lambda file, groups: read.append(groups) or real(file, groups)
    )
    open_tokens(path).take(np.array([1, 9, 2]))
    assert read == [[0, 2]]


def test_lengths_are_those_of_the_pairs(tmp_path, id_table):
    path = tmp_path / "tokens"
    pairs = [*numbered(30), ([2, *[7] * 70_000, 3], [2, 7, 3])]
    write_tokens(path, "f" * 64, [id_table(pairs)], FRAMES, 31, 0)
    lengths = read_lengths(path)
    source, target = lengths.source, lengths.target
    assert source.tolist() == [3] * 30 + [65_535]
    assert target.tolist() == read_split(path, "train").lengths.target.tolist()


def test_a_folder_that_is_none_says_so(tmp_path):
    with pytest.raises(DataError, match="no tokens here; run the verb that makes it"):
        open_tokens(tmp_path / "nothing")
