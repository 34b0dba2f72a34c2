"""Search among candidates: a faiss index over all token embeddings proposes the passages that MaxSim scores.

It is built from the embeddings, never from the passages, and only for a recipe that asks for it. It is always built on
the CPU, so that one fingerprint has one content; with a GPU build of faiss it is searched on the GPU.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from optical.errors import UserError, require
from optical.index.kinds.base import IndexConfig

if TYPE_CHECKING:
    import faiss

    from optical.index.embeddings import Embeddings
    from optical.index.scoring import MaxSim

AUTO = "auto"
_FILE = "tokens.faiss"
_TRAINING_TOKENS = 100_000
_ADDED_AT_ONCE = 65_536
_MOST_CLUSTERS = 2_048
_ADVICE = "try auto, Flat for a tiny collection, or --index.search exact, which needs no factory"


@dataclass(frozen=True, kw_only=True)
class Config(IndexConfig):
    """MaxSim over the passages that own a near token of the query."""

    builds: ClassVar[bool] = True

    search: Literal["faiss"] = "faiss"
    """Kind of index: the name of a file in ``optical/index/kinds``."""
    factory: str = AUTO
    """faiss factory string of the token index; ``auto``: IVF<n>,SQ8, n the largest power of two up to the square root
    of half the collection's tokens."""
    num_probes: int | None = None
    """Clusters visited per query token; None: the square root of the clusters."""
    tokens_per_probe: int = 128
    """Nearest tokens fetched per query token."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("num_probes", "tokens_per_probe"):
            value = getattr(self, name)
            require(value is None or value > 0, f"index.{name}", f"is {value}", "set a positive number")

    def made_from(self) -> list[str | int | float]:
        """The kind and the factory; what ``auto`` means follows from the embeddings."""
        return [self.search, self.factory]

    def check(self, dim: int, tokens: int | None = None) -> None:
        """Refuse a factory that faiss cannot make, or cannot train on so few tokens; ``auto`` always fits."""
        if self.factory != AUTO:
            index = _empty_index(dim, self.factory)
            if tokens is not None:
                _check_training(index, self.factory, tokens)

    def build(self, passages: Embeddings, folder: Path) -> None:
        """Train a faiss index on the tokens, from a fixed seed of faiss, and fill it with all of them."""
        import faiss

        tokens = passages.tokens
        factory = fitting_factory(len(tokens)) if self.factory == AUTO else self.factory
        index = _empty_index(tokens.shape[1], factory)
        _check_training(index, factory, len(tokens))
        sample = np.linspace(0, len(tokens) - 1, min(len(tokens), _TRAINING_TOKENS)).astype(np.int64)
        try:
            index.train(tokens[sample].astype(np.float32))
        except RuntimeError as error:
            what = f"faiss cannot train {factory!r} on {len(sample)} tokens ({_reason(error)})"
            raise UserError("index.factory", what, _ADVICE) from error
        for start in range(0, len(tokens), _ADDED_AT_ONCE):
            index.add(tokens[start : start + _ADDED_AT_ONCE].astype(np.float32))
        faiss.write_index(index, str(folder / _FILE))

    def open(self, passages: Embeddings, folder: Path | None = None, use_gpu: bool = False) -> CandidateSearch:
        """The faiss index, on the GPU if faiss has one, and MaxSim over what it proposes."""
        import faiss

        from optical.index.scoring import MaxSim

        if folder is None:
            raise ValueError("an index of kind 'faiss' is opened from the folder that it was built in")
        index = faiss.read_index(str(folder / _FILE))
        if inverted := faiss.try_extract_index_ivf(index):
            inverted.nprobe = self.num_probes or max(1, round(math.sqrt(inverted.nlist)))
        if use_gpu and hasattr(faiss, "StandardGpuResources"):
            index = faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, index)
        return CandidateSearch(MaxSim(passages, "cuda" if use_gpu else "cpu"), index, self.tokens_per_probe)


@dataclass(frozen=True, eq=False)
class CandidateSearch:
    """MaxSim with the passages that own one of a query token's nearest tokens."""

    maxsim: MaxSim
    tokens: faiss.Index
    tokens_per_probe: int

    @property
    def passages(self) -> Embeddings:
        """The passages that are searched."""
        return self.maxsim.passages

    def scores(self, queries: Sequence[np.ndarray]) -> np.ndarray:
        """MaxSim of each query with its candidates; -inf for other passages."""
        scores = np.full((len(queries), len(self.passages.docids)), -np.inf, dtype=np.float32)
        for row, query in zip(scores, queries, strict=True):
            _, nearest = self.tokens.search(query, self.tokens_per_probe)
            proposed = np.unique(self.passages.passage_of_token[nearest[nearest >= 0]])
            row[proposed] = self.maxsim.scores([query], proposed)[0]
        return scores


def fitting_factory(tokens: int) -> str:
    """The factory that ``auto`` means for a collection of so many tokens.

    >>> fitting_factory(14_124), fitting_factory(344_297)
    ('IVF64,SQ8', 'IVF256,SQ8')
    """
    clusters = 2 ** int(math.log2(max(1.0, math.sqrt(tokens / 2))))
    return f"IVF{min(clusters, _MOST_CLUSTERS)},SQ8"


def _empty_index(dim: int, factory: str) -> faiss.Index:
    """An untrained index of token embeddings (inner product)."""
    import faiss

    try:
        return faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as error:
        what = f"faiss cannot make {factory!r} of {dim} dimensions ({_reason(error)})"
        raise UserError("index.factory", what, _ADVICE) from error


def _check_training(index: faiss.Index, factory: str, tokens: int) -> None:
    """Refuse an index with more clusters or codewords than there are tokens to train it on."""
    inner = _innermost(index)
    if getattr(inner, "nlist", 1) < 1:
        raise UserError("index.factory", f"{factory!r} has 0 clusters", _ADVICE)
    # The most centroids that one clustering of its training has to find.
    needed = max(getattr(inner, "nlist", 1), inner.pq.ksub if hasattr(inner, "pq") else 1)
    if needed > _TRAINING_TOKENS:
        what = f"{factory!r} has {needed:,} clusters, and faiss is trained on {_TRAINING_TOKENS:,} tokens"
        raise UserError("index.factory", what, f"ask for at most {_TRAINING_TOKENS:,} clusters")
    if needed > tokens:
        what = f"{factory!r} needs {needed:,} tokens to train on, and the collection is certain to have {tokens:,}"
        raise UserError("index.factory", what, _ADVICE)


def _innermost(index: faiss.Index) -> faiss.Index:
    """The index behind its rotations."""
    import faiss

    while isinstance(index := faiss.downcast_index(index), faiss.IndexPreTransform):
        index = index.index
    return index


def _reason(error: RuntimeError) -> str:
    """The message of faiss without the place in its own source."""
    return re.split(r"\.(?:cpp|h):\d+: |' failed: ", str(error))[-1].strip()
