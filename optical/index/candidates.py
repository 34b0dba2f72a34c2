"""The candidates artefact: a faiss index over all token embeddings, which proposes passages to score.

Only a search that asks for candidates needs it; it is made from embeddings that are there, and never from passages.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from optical import artefacts
from optical.errors import UserError
from optical.index.config import IndexConfig

CANDIDATES = "candidates"
_FAISS = "tokens.faiss"
_TRAINING_TOKENS = 100_000
_ADDED_AT_ONCE = 65_536
_ADVICE = "try IVF256,SQ8, Flat for a tiny collection, or --index.search exact, which needs no factory"


@dataclass(frozen=True, eq=False)
class Candidates:
    """A faiss index over all token embeddings (inner product), opened for searching."""

    tokens: faiss.Index

    def nearest(self, query: np.ndarray, config: IndexConfig) -> np.ndarray:
        """Numbers of the tokens that are among the ``tokens_per_probe`` nearest of a token of the query."""
        if inverted := faiss.try_extract_index_ivf(self.tokens):
            inverted.nprobe = config.num_probes
        _, found = self.tokens.search(query, config.tokens_per_probe)
        return found[found >= 0]


def write_candidates(path: Path, made_from: str, embeddings: np.ndarray, factory: str) -> None:
    """Train a faiss index on token embeddings (fp16, tokens by dim), fill it with all of them, and commit it.

    faiss draws its clusters from a seed of its own that never changes.

    Raises:
        UserError: the factory string cannot be used, or asks for more tokens than there are.
    """
    index = empty_index(embeddings.shape[1], factory)
    check_training(index, factory, len(embeddings))
    sample = np.linspace(0, len(embeddings) - 1, min(len(embeddings), _TRAINING_TOKENS)).astype(np.int64)
    with artefacts.writing(path, CANDIDATES, made_from) as scratch:
        try:
            index.train(embeddings[sample].astype(np.float32))
        except RuntimeError as error:
            what = f"faiss cannot train {factory!r} on {len(sample)} tokens ({_reason(error)})"
            raise UserError("index.factory", what, _ADVICE) from error
        for start in range(0, len(embeddings), _ADDED_AT_ONCE):
            index.add(embeddings[start : start + _ADDED_AT_ONCE].astype(np.float32))
        faiss.write_index(index, str(scratch / _FAISS))


def open_candidates(path: Path, made_from: str | None = None, verify: bool = True) -> Candidates:
    """Open a committed faiss index.

    Raises:
        DataError: missing, uncommitted, damaged, or made from something else.
    """
    return Candidates(faiss.read_index(str(artefacts.read(path, CANDIDATES, made_from, verify).file(_FAISS))))


def empty_index(dim: int, factory: str) -> faiss.Index:
    """An untrained index of token embeddings.

    Raises:
        UserError: faiss cannot make one of this factory string in ``dim`` dimensions.
    """
    try:
        return faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        what = f"faiss cannot make {factory!r} of {dim} dimensions ({_reason(error)})"
        raise UserError("index.factory", what, _ADVICE) from error


def check_training(index: faiss.Index, factory: str, tokens: int) -> None:
    """Compare the tokens that are certain to be there with the clusters and codewords of an index.

    Raises:
        UserError: they are too few to train it on.
    """
    if getattr(_innermost(index), "nlist", 1) < 1:
        raise UserError("index.factory", f"{factory!r} has 0 clusters", _ADVICE)
    if (needed := _centroids(index)) > _TRAINING_TOKENS:
        what = f"{factory!r} has {needed:,} clusters, and faiss is trained on {_TRAINING_TOKENS:,} tokens"
        raise UserError("index.factory", what, f"ask for at most {_TRAINING_TOKENS:,} clusters")
    if needed > tokens:
        what = f"{factory!r} needs {needed:,} tokens to train on, and the collection is certain to have {tokens:,}"
        raise UserError("index.factory", what, _ADVICE)


def _centroids(index: faiss.Index) -> int:
    """The most centroids that one clustering of the index's training has to find."""
    inner = _innermost(index)
    return max(getattr(inner, "nlist", 1), inner.pq.ksub if hasattr(inner, "pq") else 1)


def _innermost(index: faiss.Index) -> faiss.Index:
    """The index behind its rotations."""
    while isinstance(index := faiss.downcast_index(index), faiss.IndexPreTransform):
        index = index.index
    return index


def _reason(error: RuntimeError) -> str:
    """What faiss says without the place in its own source."""
    return re.split(r"\.(?:cpp|h):\d+: |' failed: ", str(error))[-1].strip()
