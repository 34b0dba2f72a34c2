"""The dev measures: how well a student searches held-out English sentences, judged by bitext and teacher only.

No test query and no relevance judgement is read, so both exist for every language with bitext. Which measure foretells
the test, and for which objectives none does, is in docs/results.md.
"""

import numpy as np
import torch
from jaxtyping import Float
from scipy.stats import rankdata
from torch import Tensor, nn

from optical.data.batches.batch import PairBatch
from optical.model.maxsim import maxsim_in_parts, own_reciprocal_rank
from optical.model.text.padding import TokenBatch


@torch.no_grad()
def dev_measures(student: nn.Module, teacher: nn.Module, dev: PairBatch, chunk: int = 32) -> dict[str, float]:
    """Search the held-out targets with the held-out sources.

    ``dev_mrr`` is the mean reciprocal rank of each source's own target; easy bitext takes it close to 1.
    ``dev_spearman`` is Spearman's rank correlation of the scores of all other targets, by the student that reads the
    source and by the teacher that reads the target itself; the mean over pairs. A student that scores all targets
    alike, or not as numbers, has 0 there.

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
    return {"dev_mrr": own_reciprocal_rank(by_student), "dev_spearman": _spearman(by_student, by_teacher)}


def _spearman(one: Float[Tensor, "pairs pairs"], other: Float[Tensor, "pairs pairs"]) -> float:
    first, second = (_centred_ranks(scores) for scores in (one, other))
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return float(np.divide((first * second).sum(1), lengths, out=np.zeros(len(one)), where=lengths > 0).mean())


def _centred_ranks(scores: Float[Tensor, "pairs pairs"]) -> Float[np.ndarray, "pairs others"]:
    """Ranks of the other texts in every row, less their mean; a row with a NaN has zeros."""
    others = ~np.eye(len(scores), dtype=bool)
    ranks = rankdata(scores.cpu().numpy()[others].reshape(len(scores), -1), axis=1)
    return np.nan_to_num(ranks - ranks.mean(1, keepdims=True))


def _embed(encoder: nn.Module, tokens: TokenBatch, chunk: int) -> Float[Tensor, "pairs tokens dim"]:
    parts = zip(tokens.ids.split(chunk), tokens.mask.split(chunk), strict=True)
    return torch.cat([encoder(some, some_mask) for some, some_mask in parts])
