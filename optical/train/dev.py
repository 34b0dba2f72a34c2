"""The dev measures: how well a student searches held-out English sentences, judged by bitext and teacher only.

No test query and no relevance judgement is read, so both exist for every language with bitext.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from optical.data.batches.batch import PairBatch
from optical.model.maxsim import maxsim_in_parts, own_reciprocal_rank
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
    by_student = maxsim_in_parts(queries, dev.source.scored, documents, dev.target.scored, chunk)
    by_teacher = maxsim_in_parts(documents, dev.target.scored, documents, dev.target.scored, chunk)
    student.train()
    return {"dev_mrr": own_reciprocal_rank(by_student), "dev_agreement": _agreement(by_student, by_teacher)}


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


def _embed(encoder: nn.Module, tokens: TokenBatch, chunk: int) -> Float[Tensor, "pairs tokens dim"]:
    parts = zip(tokens.ids.split(chunk), tokens.mask.split(chunk), strict=True)
    return torch.cat([encoder(some, some_mask) for some, some_mask in parts])
