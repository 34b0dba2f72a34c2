"""The index artefact: fp16 token embeddings, passage offsets and ids, and a faiss index over the tokens."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts
from optical.config import IndexConfig
from optical.errors import DataError, UserError

KIND = "index"
_EMBEDDINGS, _PASSAGES, _FAISS = "embeddings.f16", "passages.parquet", "tokens.faiss"
_TRAINING_TOKENS = 100_000
_ADDED_AT_ONCE = 65_536
_FACTORY_ADVICE = "try IVF256,SQ8, or Flat for a tiny collection"


@dataclass(frozen=True)
class Index:
    """An index opened for reading.

    ``embeddings`` is a memory map of shape (tokens, dim); passage i owns tokens ``offsets[i]:offsets[i + 1]``.
    """

    path: Path
    fingerprint: str
    docids: tuple[str, ...]
    embeddings: np.ndarray
    offsets: np.ndarray

    @cached_property
    def tokens(self) -> faiss.Index:
        """The faiss index over all token embeddings (inner product)."""
        return faiss.read_index(str(self.path / _FAISS))

    @cached_property
    def passage_of_token(self) -> np.ndarray:
        """Passage number of every token."""
        return np.repeat(np.arange(len(self.docids)), np.diff(self.offsets))


def write_index(path: Path, made_from: str, dim: int, passages: Iterable[pa.Table], config: IndexConfig) -> int:
    """Build and commit an index from a stream of embedded passages; returns the number of passages.

    Raises:
        UserError: faiss does not know the factory string.
        DataError: there is no passage.
    """
    # Before the passages are encoded, which takes minutes: a factory faiss does not know fails here.
    tokens = _empty_faiss(dim, config)
    with artefacts.writing(path, KIND, made_from, {"dim": dim}) as scratch:
        docids, lengths = _store_embeddings(scratch / _EMBEDDINGS, passages)
        if not docids:
            raise DataError(path, "the collection holds no passage", "check the collection's passages file")
        pq.write_table(pa.table({"docid": docids, "length": pa.array(lengths, pa.int32())}), scratch / _PASSAGES)
        embeddings = np.memmap(scratch / _EMBEDDINGS, dtype=np.float16, mode="r").reshape(-1, dim)
        _fill_faiss(tokens, embeddings, config)
        faiss.write_index(tokens, str(scratch / _FAISS))
    return len(docids)


def open_index(path: Path, made_from: str | None = None, verify: bool = True) -> Index:
    """Open a committed index.

    Raises:
        DataError: missing, uncommitted, damaged, or made from something else.
    """
    artefact = artefacts.read(path, KIND, made_from, verify)
    table = pq.read_table(artefact.file(_PASSAGES))
    embeddings = np.memmap(artefact.file(_EMBEDDINGS), dtype=np.float16, mode="r").reshape(-1, artefact.info["dim"])
    offsets = np.concatenate([[0], np.cumsum(table["length"].to_numpy())])
    return Index(artefact.path, artefact.fingerprint, tuple(table["docid"].to_pylist()), embeddings, offsets)


def _store_embeddings(file: Path, passages: Iterable[pa.Table]) -> tuple[list[str], list[int]]:
    docids: list[str] = []
    lengths: list[int] = []
    with file.open("wb") as stream:
        for table in passages:
            docids += table["docid"].to_pylist()
            lengths += table["length"].to_pylist()
            for tokens in table["embeddings"]:
                stream.write(tokens.as_buffer())
    return docids, lengths


def _empty_faiss(dim: int, config: IndexConfig) -> faiss.Index:
    try:
        return faiss.index_factory(dim, config.factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        raise UserError("index.factory", f"faiss does not know {config.factory!r}", _FACTORY_ADVICE) from error


def _fill_faiss(index: faiss.Index, embeddings: np.ndarray, config: IndexConfig) -> None:
    sample = np.linspace(0, len(embeddings) - 1, min(len(embeddings), _TRAINING_TOKENS)).astype(np.int64)
    try:
        index.train(embeddings[sample].astype(np.float32))
    except RuntimeError as error:
        what = f"faiss cannot train {config.factory!r} on {len(embeddings)} tokens"
        raise UserError("index.factory", what, _FACTORY_ADVICE) from error
    for start in range(0, len(embeddings), _ADDED_AT_ONCE):
        index.add(embeddings[start : start + _ADDED_AT_ONCE].astype(np.float32))
