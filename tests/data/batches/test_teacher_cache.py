"""The teacher cache on disk: every pair gets its own embeddings, and what is not whole or not ours is never read."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optical import artefacts
from optical.data.batches import teacher_cache
from optical.data.batches.teacher_cache import Encoded, TeacherCache
from optical.data.batches.token_shards import TokenShards, open_tokens
from optical.data.batches.tokenise import write_tokens
from optical.errors import DataError, InfrastructureError
from tests.readers import FRAMES

DIM, LENGTH = 3, 5


@pytest.fixture
def tokens(tmp_path, id_table) -> TokenShards:
    """24 pairs in three shards; target i is of i % 5 words, each with the id 10 + i, between 2 and 3."""
    pairs = [([2, 7, 3], [2, *[10 + i] * (1 + i % 5), 3]) for i in range(26)]
    write_tokens(tmp_path / "tokens", "f" * 64, [id_table(pairs)], FRAMES, 26, 2, rows_per_group=4, rows_per_shard=10)
    return open_tokens(tmp_path / "tokens")


@pytest.fixture
def cache(tmp_path) -> TeacherCache:
    return TeacherCache(tmp_path / "cache", "a" * 64, LENGTH)


def embedded(ids: list[int]) -> np.ndarray:
    """Embeddings from which ids and places can be read."""
    kept = ids if len(ids) <= LENGTH else [*ids[: LENGTH - 1], ids[-1]]
    return np.array([[token, place, 1] for place, token in enumerate(kept)], np.float16)


def encoded(tokens: TokenShards, numbers: list[int]) -> Iterator[Encoded]:
    for group in np.flatnonzero(np.isin(tokens.shard, numbers)):
        targets = tokens.take(np.arange(*tokens.starts[group : group + 2])).target_ids.to_pylist()
        yield Encoded(pairs=len(targets), embeddings=np.concatenate([*map(embedded, targets)]).tobytes(), seconds=0.5)


def cut_off(stream: Iterator[Encoded], after: int) -> Iterator[Encoded]:
    for number, part in enumerate(stream):
        if number == after:
            raise KeyboardInterrupt
        yield part


def test_every_pair_gets_its_own_embeddings_in_any_order(cache, tokens):
    cache.write(tokens, [0, 1, 2], DIM, encoded(tokens, [0, 1, 2]))
    targets = cache.open(tokens)
    ids = tokens.take(np.arange(24)).target_ids.to_pylist()
    for positions in ([23, 0, 9, 10, 11], [4], [19, 20, 19], list(range(24))):
        padded = targets.padded(np.array(positions)).numpy()
        assert padded.dtype == np.float16
        for row, position in zip(padded, positions, strict=True):
            own = embedded(ids[position])
            assert np.array_equal(row[: len(own)], own)
            assert not row[len(own) :].any()
        assert padded.shape[1] == max(len(embedded(ids[position])) for position in positions)


def test_it_is_read_from_disk_and_knows_its_size(cache, tokens):
    cache.write(tokens, [0, 1, 2], DIM, encoded(tokens, [0, 1, 2]))
    targets = cache.open(tokens)
    assert all(isinstance(array, np.memmap) for array in targets.embeddings + targets.offsets)
    num_tokens = sum(len(array) for array in targets.embeddings)
    facts = {"pairs": 24, "tokens": num_tokens, "encoder_seconds": 0.5 * len(tokens.shard), "megabytes": 0.0}
    assert num_tokens == sum(map(int, np.concatenate(cache.lengths(tokens))))
    assert targets.facts == facts


def test_an_interrupted_making_continues_at_the_first_missing_shard(cache, tokens):
    with pytest.raises(KeyboardInterrupt):
        cache.write(tokens, [0, 1, 2], DIM, cut_off(encoded(tokens, [0, 1, 2]), after=4))
    assert cache.missing(tokens) == [1, 2]
    assert [path.name for path in cache.folder.iterdir()] == ["train-00000"]
    with pytest.raises(DataError, match="no teacher-cache here"):
        cache.open(tokens)
    cache.write(tokens, [1, 2], DIM, encoded(tokens, [1, 2]))
    assert cache.missing(tokens) == []
    assert cache.open(tokens).padded(np.array([12])).shape[0] == 1


def test_a_damaged_shard_is_made_anew(cache, tokens):
    cache.write(tokens, [0, 1, 2], DIM, encoded(tokens, [0, 1, 2]))
    file = cache.folder / "train-00001" / "embeddings.npy"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert cache.missing(tokens) == [1]


def test_the_cache_of_another_teacher_is_refused(cache, tokens):
    cache.write(tokens, [0, 1, 2], DIM, encoded(tokens, [0, 1, 2]))
    other = replace(cache, fingerprint="b" * 64)
    with pytest.raises(DataError, match="made from aaaaaaaaaaaa, not from bbbbbbbbbbbb"):
        other.open(tokens)
    assert other.missing(tokens) == [0, 1, 2]


@pytest.mark.parametrize("dim", [DIM - 1, DIM + 1])
def test_as_many_embeddings_as_tokens_or_nothing(cache, tokens, dim):
    with pytest.raises(DataError, match="bytes were encoded for 44 tokens"):
        cache.write(tokens, [0], dim, encoded(tokens, [0]))
    assert not any(cache.folder.iterdir())


def test_a_disk_without_room_is_seen_before_anything_is_encoded(cache, tokens, monkeypatch):
    needed = sum(int(lengths.sum()) * DIM * 2 + 8 * len(lengths) for lengths in cache.lengths(tokens)[1:])

    def room(free: int) -> None:
        usage = type("Usage", (), {"free": free})
        monkeypatch.setattr(teacher_cache.shutil, "disk_usage", lambda folder: usage)

    room(needed)
    cache.check_space(tokens, [1, 2], DIM)
    room(needed - 1)
    with pytest.raises(InfrastructureError, match="needs 0 MB of disk") as caught:
        cache.check_space(tokens, [1, 2], DIM)
    assert caught.value.where == str(cache.folder)


def test_a_shard_is_plain_numpy(cache, tokens):
    cache.write(tokens, [0], DIM, encoded(tokens, [0]))
    shard: Path = artefacts.read(cache.folder / "train-00000", "teacher-cache").path
    embeddings, offsets = np.load(shard / "embeddings.npy"), np.load(shard / "offsets.npy")
    assert (embeddings.dtype, offsets.dtype) == (np.float16, np.int64)
    assert offsets[-1] == len(embeddings)
    assert embeddings[offsets[:-1], 0].tolist() == [2] * 10
