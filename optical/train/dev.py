"""The dev measures: how well a student searches held-out English sentences, judged by bitext and teacher only.

No test query and no relevance judgement is read, so both exist for every language with bitext.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from optical.data.batches.batch import PairBatch
from optical.model.maxsim import maxsim
from optical.model.text.padding import TokenBatch

DEPTH = 10


@torch.no_grad()
def dev_measures(student: nn.Module, teacher: nn.Module, dev: PairBatch, chunk: int = 32) -> dict[str, float]:
    """Search the held-out targets with the held-out sources.

    ``dev_mrr`` is the mean reciprocal rank of each source's own target; easy bitext takes it close to 1.
    ``dev_agreement`` is the share of the teacher's ten nearest other targets, searched with the target itself, that
    the student also has among its ten when it searches with the source: the aim of distillation, and far from
    saturated.

    Args:
        student: encodes the sources.
        teacher: encodes the targets, as queries and as documents.
        dev: the held-out pairs as one batch.
        chunk: sentences that are encoded and scored together.
    """
    student.eval()
    documents = _embed(teacher, dev.target, chunk)
    queries = _embed(student, dev.source, chunk)
    by_student = _scores(queries, dev.source.scored, documents, dev.target.scored, chunk)
    by_teacher = _scores(documents, dev.target.scored, documents, dev.target.scored, chunk)
    student.train()
    own = by_student.diagonal().unsqueeze(1)
    # Everything not strictly below counts, itself included: ties and NaN are never to a student's advantage.
    ranks = (~(by_student < own)).sum(1)
    return {"dev_mrr": float((1 / ranks.double()).mean()), "dev_agreement": _agreement(by_student, by_teacher)}


def _agreement(one: Float[Tensor, "pairs pairs"], other: Float[Tensor, "pairs pairs"]) -> float:
    depth = min(DEPTH, len(one) - 1)
    itself = torch.eye(len(one), dtype=torch.bool, device=one.device)
    first, second = (
        torch.zeros_like(scores, dtype=torch.bool).scatter_(
            1, scores.nan_to_num(nan=-torch.inf).masked_fill(itself, -torch.inf).topk(depth).indices, True
        )
        for scores in (one, other)
    )
    return float((first & second).sum(1).double().mean() / depth)


def _scores(
    queries: Float[Tensor, "pairs query_tokens dim"],
    query_mask: Bool[Tensor, "pairs query_tokens"],
    documents: Float[Tensor, "pairs document_tokens dim"],
    document_mask: Bool[Tensor, "pairs document_tokens"],
    chunk: int,
) -> Float[Tensor, "pairs pairs"]:
    parts = zip(queries.split(chunk), query_mask.split(chunk), strict=True)
    return torch.cat([maxsim(some, mask, documents, document_mask) for some, mask in parts])


def _embed(encoder: nn.Module, tokens: TokenBatch, chunk: int) -> Float[Tensor, "pairs tokens dim"]:
    parts = zip(tokens.ids.split(chunk), tokens.mask.split(chunk), strict=True)
    return torch.cat([encoder(some, some_mask) for some, some_mask in parts])
