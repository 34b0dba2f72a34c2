"""The dev measure: does a held-out source sentence find its own translation among the held-out targets?"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from optical.data.batches import PairBatch
from optical.model.encoder import Encoder
from optical.model.maxsim import maxsim

_CHUNK = 32


@torch.no_grad()
def dev_mrr(student: Encoder, targets: Encoder, dev: PairBatch) -> float:
    """Mean reciprocal rank of each dev pair's target under MaxSim, sources by ``student``, targets by ``targets``.

    Needs bitext only: no test query and no relevance judgement is looked at.
    """
    student.eval()
    sources = _embed(student, dev.source_ids, dev.source_mask)
    passages = _embed(targets, dev.target_ids, dev.target_mask)
    ranks = []
    for start in range(0, len(sources), _CHUNK):
        rows = slice(start, start + _CHUNK)
        scores = maxsim(sources[rows], dev.source_mask[rows], passages, dev.target_mask)
        own = scores[torch.arange(len(scores)), torch.arange(start, start + len(scores))]
        # Everything not strictly below counts, itself included: ties and NaN are never to a student's advantage.
        ranks.append((~(scores < own.unsqueeze(1))).sum(1))
    student.train()
    return float((1 / torch.cat(ranks).double()).mean())


def _embed(encoder: Encoder, ids: Tensor, mask: Bool[Tensor, "pairs tokens"]) -> Float[Tensor, "pairs tokens dim"]:
    return torch.cat(
        [encoder(ids[start : start + _CHUNK], mask[start : start + _CHUNK]) for start in range(0, len(ids), _CHUNK)]
    )
