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
