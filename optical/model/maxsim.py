"""MaxSim: each query token's best document token, summed (Khattab and Zaharia 2020, arXiv:2004.12832)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from optical.model.precision import precision


def maxsim(
    queries: Float[Tensor, "queries query_tokens dim"],
    query_mask: Bool[Tensor, "queries query_tokens"],
    documents: Float[Tensor, "documents document_tokens dim"],
    document_mask: Bool[Tensor, "documents document_tokens"],
) -> Float[Tensor, "queries documents"]:
    """Scores of every query against every document; padding neither scores nor is scored against.

    Padded document tokens are set to -inf before the maximum, never to zero: a zero would beat a negative
    similarity.

    >>> q = torch.tensor([[[1.0, 0.0]]]); d = torch.tensor([[[-0.6, 0.8], [0.0, 1.0]]])
    >>> one = torch.ones(1, 1, dtype=torch.bool); first = torch.tensor([[True, False]])
    >>> round(maxsim(q, one, d, first).item(), 2)
    -0.6
    """
    with precision(queries.device.type, half=False):
        similarity = torch.einsum("qid,rjd->qrij", queries, documents)
    best = similarity.masked_fill(~document_mask[None, :, None, :], -torch.inf).amax(3)
    return best.masked_fill(~query_mask[:, None, :], 0).sum(2)


def maxsim_in_parts(
    queries: Float[Tensor, "queries query_tokens dim"],
    query_mask: Bool[Tensor, "queries query_tokens"],
    documents: Float[Tensor, "documents document_tokens dim"],
    document_mask: Bool[Tensor, "documents document_tokens"],
    at_once: int,
) -> Float[Tensor, "queries documents"]:
    """``maxsim`` of ``at_once`` queries at a time, which bounds the memory."""
    parts = zip(queries.split(at_once), query_mask.split(at_once), strict=True)
    return torch.cat([maxsim(some, mask, documents, document_mask) for some, mask in parts])


def own_reciprocal_rank(scores: Float[Tensor, "pairs pairs"]) -> float:
    """The mean reciprocal rank of each query's own document, which has the query's number.

    Everything not strictly below counts, itself included: ties and NaN are never to an advantage.

    >>> own_reciprocal_rank(torch.tensor([[2.0, 1.0], [3.0, 3.0]]))
    0.75
    """
    ranks = (~(scores < scores.diagonal().unsqueeze(1))).sum(1)
    return float((1 / ranks.double()).mean())
