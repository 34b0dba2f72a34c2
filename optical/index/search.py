"""Search: MaxSim over every passage, or over the candidates a faiss token index proposes."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from optical.evaluation.runs import Run, ScoredDoc
from optical.index.candidates import Candidates
from optical.index.config import IndexConfig
from optical.index.embeddings import Embeddings
from optical.model.precision import precision

_TOKENS_AT_ONCE = 16_384
_QUERIES_AT_ONCE = 32

QueryEmbeddings = Float[Tensor, "query_tokens dim"]


def search(
    passages: Embeddings,
    qids: Sequence[str],
    queries: Sequence[QueryEmbeddings],
    config: IndexConfig,
    candidates: Candidates | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> Run:
    """The ``config.depth`` best passages of every query.

    Args:
        passages: embedded by the teacher.
        qids: one id per query.
        queries: unit token embeddings of each query.
        config: the depth, and how many candidates there are.
        candidates: proposes the passages that are scored; without it all are.
        advance: told the number of queries done, for progress.
    """
    scored: list[ScoredDoc] = []
    for start in range(0, len(queries), _QUERIES_AT_ONCE):
        some = queries[start : start + _QUERIES_AT_ONCE]
        found = candidate_scores(passages, candidates, some, config) if candidates else exact_scores(passages, some)
        for qid, scores in zip(qids[start:], found, strict=False):
            best = np.argsort(-scores, kind="stable")[: config.depth]
            scored += [ScoredDoc(qid, passages.docids[i], float(scores[i])) for i in best if np.isfinite(scores[i])]
        advance(len(some))
    return Run(scored)


def exact_scores(passages: Embeddings, queries: Sequence[QueryEmbeddings]) -> list[np.ndarray]:
    """MaxSim of each query with every passage, (passages,) float32 arrays."""
    return list(_maxsim(passages, queries, np.arange(len(passages.docids))))


def candidate_scores(
    passages: Embeddings, candidates: Candidates, queries: Sequence[QueryEmbeddings], config: IndexConfig
) -> list[np.ndarray]:
    """MaxSim with the passages that own one of a query token's nearest tokens; -inf elsewhere."""
    found = []
    for query in queries:
        proposed = np.unique(passages.passage_of_token[candidates.nearest(query.numpy(), config)])
        scores = np.full(len(passages.docids), -np.inf, dtype=np.float32)
        scores[proposed] = _maxsim(passages, [query], proposed)[0]
        found.append(scores)
    return found


def _maxsim(passages: Embeddings, queries: Sequence[QueryEmbeddings], chosen: np.ndarray) -> np.ndarray:
    """MaxSim of the queries with the chosen passages: (queries, chosen)."""
    stacked = torch.cat(list(queries)).float()
    owner = torch.repeat_interleave(torch.arange(len(queries)), torch.tensor([len(query) for query in queries]))
    scores = torch.zeros(len(queries), len(chosen))
    lengths = np.diff(passages.offsets)[chosen]
    for rows in _chunks(lengths):
        tokens = np.concatenate([np.arange(passages.offsets[p], passages.offsets[p + 1]) for p in chosen[rows]])
        with precision("cpu", half=False):
            similarity = torch.from_numpy(passages.tokens[tokens].astype(np.float32)) @ stacked.T
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
