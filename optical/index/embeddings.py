"""The embeddings artefact: fp16 token embeddings of the passages, their offsets and ids."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.errors import DataError

EMBEDDINGS = "embeddings"
_TOKENS, _PASSAGES = "embeddings.f16", "passages.parquet"


@dataclass(frozen=True)
class Embeddings:
    """Embedded passages opened for reading.

    ``tokens`` is a memory map of shape (tokens, dim); passage i owns tokens ``offsets[i]:offsets[i + 1]``.
    """

    path: Path
    fingerprint: str
    docids: tuple[str, ...]
    tokens: np.ndarray
    offsets: np.ndarray

    @cached_property
    def lengths(self) -> np.ndarray:
        """Number of tokens of every passage."""
        return np.diff(self.offsets)

    @cached_property
    def passage_of_token(self) -> np.ndarray:
        """Passage number of every token."""
        return np.repeat(np.arange(len(self.docids)), self.lengths)


def write_embeddings(path: Path, made_from: str, dim: int, passages: Iterable[pa.Table]) -> int:
    """Write and commit a stream of embedded passages; returns their number.

    Raises:
        DataError: there is no passage, or none with a token that scores.
    """
    with artefacts.writing(path, EMBEDDINGS, made_from, {"dim": dim}) as scratch:
        docids, lengths = _store(scratch / _TOKENS, passages)
        if not docids:
            raise DataError(path, "the collection holds no passage", "check the collection's passages file")
        if not any(lengths):
            raise DataError(path, "no passage has a token that scores", "check the passages and the encoder's skiplist")
        pq.write_table(pa.table({"docid": docids, "length": pa.array(lengths, pa.int32())}), scratch / _PASSAGES)
    return len(docids)


def open_embeddings(path: Path, made_from: str | None = None, verify: bool = True) -> Embeddings:
    """Open committed embeddings.

    Raises:
        DataError: missing, uncommitted, damaged, or made from something else.
    """
    artefact = artefacts.read(path, EMBEDDINGS, made_from, verify)
    table = pq.read_table(artefact.file(_PASSAGES))
    tokens = np.memmap(artefact.file(_TOKENS), dtype=np.float16, mode="r").reshape(-1, artefact.info["dim"])
    offsets = np.concatenate([[0], np.cumsum(table["length"].to_numpy())])
    return Embeddings(artefact.path, artefact.fingerprint, tuple(table["docid"].to_pylist()), tokens, offsets)


def _store(file: Path, passages: Iterable[pa.Table]) -> tuple[list[str], list[int]]:
    docids: list[str] = []
    lengths: list[int] = []
    with file.open("wb") as stream:
        for table in passages:
            docids += table["docid"].to_pylist()
            lengths += table["length"].to_pylist()
            for tokens in table["embeddings"]:
                stream.write(tokens.as_buffer())
    return docids, lengths
