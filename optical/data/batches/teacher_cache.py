"""The teacher's embeddings of every training pair's target side, computed once and read by every epoch.

    train-00000/embeddings.npy   float16 (tokens, dim): the sentences of train-00000.parquet, one after the other
    train-00000/offsets.npy      int64: where each sentence begins, and the end of the last

Each shard is a separate artefact, so that an interrupted run continues at the first that is missing. Shards are
memory-mapped: a batch reads only its own rows.
"""

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from optical import artefacts
from optical.data.batches.token_shards import TokenShards, read_lengths
from optical.errors import DataError, InfrastructureError

KIND = "teacher-cache"
_EMBEDDINGS, _OFFSETS = "embeddings.npy", "offsets.npy"
_TYPE = np.dtype(np.float16)


class Encoded(TypedDict):
    """Some consecutive pairs of one shard: how many, their targets' embeddings (float16, row-major), the time taken."""

    pairs: int
    embeddings: bytes
    seconds: float


@dataclass(frozen=True)
class TeacherCache:
    """A cache, by its folder and the identity of its inputs.

    Args:
        folder: where it is, or will be.
        fingerprint: identity of the teacher, the tokens and the target length.
        target_length: longest target in tokens, as training cuts it.
    """

    folder: Path
    fingerprint: str
    target_length: int

    def lengths(self, tokens: TokenShards) -> list[np.ndarray]:
        """Tokens kept of each target sentence, shard by shard."""
        lengths = tokens.frames.target.widths(read_lengths(tokens.folder).target.astype(np.int64), self.target_length)
        return np.split(lengths, _shard_starts(tokens)[1:])

    def missing(self, tokens: TokenShards) -> list[int]:
        """Numbers of the shards that are not there, or not whole, or made from other inputs."""
        return [
            number
            for number, folder in enumerate(self._shards(tokens))
            if not artefacts.exists(folder, KIND, self.fingerprint)
        ]

    def check_space(self, tokens: TokenShards, shards: Sequence[int], dim: int) -> None:
        """Check that the disk has room for ``shards``.

        Raises:
            InfrastructureError: it has no room.
        """
        lengths = self.lengths(tokens)
        needed = sum(int(lengths[shard].sum()) * dim * _TYPE.itemsize + 8 * len(lengths[shard]) for shard in shards)
        self.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.folder).free
        if free < needed:
            what = f"the teacher cache needs {needed / 1e6:,.0f} MB of disk, and {free / 1e6:,.0f} MB are free"
            raise InfrastructureError(self.folder, what, "free some, move --runs-dir, or train without teacher.cache")

    def write(self, tokens: TokenShards, shards: Sequence[int], dim: int, encoded: Iterator[Encoded]) -> None:
        """Write ``shards``, committing each as soon as it is whole.

        Args:
            tokens: the training pairs.
            shards: numbers of the shards to write, in order.
            dim: dimension of the embeddings.
            encoded: all pairs of these shards, in order.

        Raises:
            DataError: the embeddings are not as many as the tokens.
        """
        lengths, folders = self.lengths(tokens), self._shards(tokens)
        for shard in shards:
            _write_shard(folders[shard], self.fingerprint, lengths[shard], dim, encoded)

    def open(self, tokens: TokenShards) -> "TargetEmbeddings":
        """The embeddings of the training pairs; hashes are not checked again.

        Raises:
            DataError: a shard is missing, or was made by another teacher, from other tokens or at another length.
        """
        shards = [artefacts.read(folder, KIND, self.fingerprint, verify=False) for folder in self._shards(tokens)]
        facts = {name: sum(shard.info[name] for shard in shards) for name in ("pairs", "tokens", "encoder_seconds")}
        embeddings, offsets = (
            tuple(np.load(shard.file(name), mmap_mode="r") for shard in shards) for name in (_EMBEDDINGS, _OFFSETS)
        )
        facts["megabytes"] = round(sum(array.nbytes for array in embeddings + offsets) / 1e6, 1)
        return TargetEmbeddings(_shard_starts(tokens), offsets, embeddings, facts)

    def _shards(self, tokens: TokenShards) -> list[Path]:
        return [self.folder / Path(name).stem for name in tokens.shards]


@dataclass(frozen=True, eq=False)
class TargetEmbeddings:
    """An opened cache, read from disk on demand.

    Args:
        starts: position of each shard's first pair.
        offsets: for each shard, where each sentence begins.
        embeddings: for each shard, the embeddings of its tokens.
        facts: pairs, tokens, megabytes, and the seconds the encoder took.
    """

    starts: np.ndarray
    offsets: tuple[np.ndarray, ...]
    embeddings: tuple[np.ndarray, ...]
    facts: dict[str, float]

    def padded(self, positions: np.ndarray) -> Float[Tensor, "batch tokens dim"]:
        """The target embeddings (float16) of the pairs at ``positions``, zeros behind the shorter sentences."""
        shards = np.searchsorted(self.starts, positions, side="right") - 1
        rows = positions - self.starts[shards]
        sentences = [self._sentence(shard, row) for shard, row in zip(shards, rows, strict=True)]
        padded = np.zeros((len(sentences), max(map(len, sentences)), sentences[0].shape[1]), _TYPE)
        for place, sentence in zip(padded, sentences, strict=True):
            place[: len(sentence)] = sentence
        return torch.from_numpy(padded)

    def _sentence(self, shard: int, row: int) -> np.ndarray:
        start, end = self.offsets[shard][row : row + 2]
        return self.embeddings[shard][start:end]


def _shard_starts(tokens: TokenShards) -> np.ndarray:
    """Position of each shard's first pair."""
    return tokens.starts[np.searchsorted(tokens.shard, np.arange(len(tokens.shards)))]


def _write_shard(folder: Path, made_from: str, lengths: np.ndarray, dim: int, encoded: Iterator[Encoded]) -> None:
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    shape = (int(offsets[-1]), dim)
    info = {"pairs": len(lengths), "tokens": shape[0], "encoder_seconds": 0.0}
    with artefacts.writing(folder, KIND, made_from, info) as scratch:
        np.save(scratch / _OFFSETS, offsets)
        # Written, not memory-mapped: on a full disk a write fails, while a page of a map kills the process.
        with (scratch / _EMBEDDINGS).open("wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(_TYPE), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            written = 0
            for part in _parts(encoded, len(lengths)):
                written += file.write(part["embeddings"])
                info["encoder_seconds"] += part["seconds"]
        if written != shape[0] * dim * _TYPE.itemsize:
            what = f"{written:,} bytes were encoded for {shape[0]:,} tokens of {dim} float16 numbers"
            raise DataError(folder, what, "delete the tokens artefact and rerun")
        info["encoder_seconds"] = round(info["encoder_seconds"], 3)


def _parts(encoded: Iterator[Encoded], pairs: int) -> Iterator[Encoded]:
    """The next ``pairs`` pairs of a stream whose parts never reach into the next shard."""
    while pairs > 0 and (part := next(encoded, None)) is not None:
        pairs -= part["pairs"]
        yield part
