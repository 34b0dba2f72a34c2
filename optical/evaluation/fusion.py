"""Reciprocal rank fusion (Cormack, Clarke and Buettcher 2009): rankings as one, without their scores."""

from collections.abc import Sequence

from optical.evaluation.runs import Run, ScoredDoc


def reciprocal_rank_fusion(runs: Sequence[Run], k: int, depth: int) -> Run:
    """A run in which a document's score is the sum of 1 / (k + rank) over the runs that found it, ranks from 1.

    A topic that only some of the runs answer is ranked by these.

    >>> def ranked(docids):
    ...     return Run(ScoredDoc("q", docid, -rank) for rank, docid in enumerate(docids))
    >>> reciprocal_rank_fusion([ranked("abc"), ranked("bca")], k=60, depth=2).docids("q")
    ('b', 'a')

    Args:
        runs: ranked as trec_eval ranks them.
        k: added to every rank, so that first ranks do not count for too much.
        depth: documents kept for each topic.
    """
    scores: dict[str, dict[str, float]] = {}
    for run in runs:
        for qid, ranking in run.rankings.items():
            topic = scores.setdefault(qid, {})
            for rank, doc in enumerate(ranking, start=1):
                topic[doc.docid] = topic.get(doc.docid, 0.0) + 1 / (k + rank)
    fused = Run(ScoredDoc(qid, docid, score) for qid, topic in scores.items() for docid, score in topic.items())
    return Run(doc for ranking in fused.rankings.values() for doc in ranking[:depth])
