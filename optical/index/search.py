"""Search: MaxSim over every passage, or over the candidates a faiss token index proposes."""

from collections.abc import Callable, Sequence

import faiss
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from optical.config import IndexConfig
from optical.evaluation.trec import Run, ScoredDoc
from optical.index.store import Index

_TOKENS_AT_ONCE = 16_384
_QUERIES_AT_ONCE = 32

QueryEmbeddings = Float[Tensor, "query_tokens dim"]


def search(
    index: Index,
    qids: Sequence[str],
    queries: Sequence[QueryEmbeddings],
    config: IndexConfig,
    advance: Callable[[int], None] = lambda count: None,
) -> Run:
    """The ``config.depth`` best passages of every query.

    Args:
        index: the teacher's index.
        qids: one id per query.
        queries: unit token embeddings of each query.
        config: ``search`` chooses exact MaxSim or faiss candidates.
        advance: told the number of queries done, for progress.
    """
    scored: list[ScoredDoc] = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        some = queries[start : start + _QUERIES_AT_ONCE]
        score = exact_scores if config.search == "exact" else candidate_scores
        for qid, scores in zip(qids[start:], score(index, some, config), strict=False):
            best = np.argsort(-scores, kind="stable")[: config.depth]
            scored += [ScoredDoc(qid, index.docids[i], float(scores[i])) for i in best if np.isfinite(scores[i])]
        advance(len(some))
    return Run(scored)


def exact_scores(index: Index, queries: Sequence[QueryEmbeddings], config: IndexConfig) -> list[np.ndarray]:
    """MaxSim of each query with every passage, (passages,) float32 arrays."""
    return list(_maxsim(index, queries, np.arange(len(index.docids))))


def candidate_scores(index: Index, queries: Sequence[QueryEmbeddings], config: IndexConfig) -> list[np.ndarray]:
    """MaxSim with the passages that own one of a query token's nearest tokens; -inf elsewhere."""
    if inverted := faiss.try_extract_index_ivf(index.tokens):
        inverted.nprobe = config.num_probes
    found = []
    for query in queries:
        _, tokens = index.tokens.search(query.numpy(), config.tokens_per_probe)
        candidates = np.unique(index.passage_of_token[tokens[tokens >= 0]])
        scores = np.full(len(index.docids), -np.inf, dtype=np.float32)
        scores[candidates] = _maxsim(index, [query], candidates)[0]
        found.append(scores)
    return found


def _maxsim(index: Index, queries: Sequence[QueryEmbeddings], passages: np.ndarray) -> np.ndarray:
    """MaxSim of the queries with the chosen passages: (queries, passages)."""
    stacked = torch.cat(list(queries)).float()
    owner = torch.repeat_interleave(torch.arange(len(queries)), torch.tensor([len(query) for query in queries]))
    scores = torch.zeros(len(queries), len(passages))
    lengths = np.diff(index.offsets)[passages]
    for rows in _chunks(lengths):
        tokens = np.concatenate([np.arange(index.offsets[p], index.offsets[p + 1]) for p in passages[rows]])
        similarity = torch.from_numpy(index.embeddings[tokens].astype(np.float32)) @ stacked.T
        best = torch.segment_reduce(similarity, "max", lengths=torch.from_numpy(lengths[rows].astype(np.int64)), axis=0)
        scores[:, rows] = torch.zeros(len(queries), best.shape[0]).index_add_(0, owner, best.T)
    return scores.numpy()


def _chunks(lengths: np.ndarray) -> list[slice]:
    """Slices of consecutive passages with at most about ``_TOKENS_AT_ONCE`` tokens each."""
    if len(lengths) == 0:
        return []
    part = np.cumsum(lengths) // _TOKENS_AT_ONCE
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    return [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(lengths)], strict=True)]
