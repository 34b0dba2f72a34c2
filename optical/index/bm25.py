"""BM25 over the words of the passages: a search without embeddings (Robertson and Zaragoza 2009, by bm25s).

The idf is Lucene's, which is never negative.
"""

import logging
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from optical.data.lexicon.words import words
from optical.evaluation.runs import Run, ScoredDoc


def bm25_run(
    docids: Sequence[str],
    passages: Sequence[str],
    queries: Mapping[str, str],
    k1: float,
    b: float,
    depth: int,
    advance: Callable[[int], None] = lambda count: None,
) -> Run:
    """The best passages of every query, at most ``depth`` each; only those that share a word with it.

    Args:
        docids: one id per passage.
        passages: texts.
        queries: texts by id; a word that is there twice counts twice.
        k1: how much repeated words of a passage count.
        b: how much long passages are discounted, 0 to 1.
        depth: documents kept per query.
        advance: receives the number of queries done, for progress.
    """
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # its import asks for DEBUG
    split = [words(passage) for passage in passages]
    if not any(split):
        return Run([])
    retriever = bm25s.BM25(k1=k1, b=b)
    retriever.index(split, show_progress=False)
    scored: list[ScoredDoc] = []
    for qid, text in queries.items():
        known = [word for word in words(text) if word in retriever.vocab_dict]
        if known:
            scores = retriever.get_scores(known)
            best = np.argsort(-scores, kind="stable")[:depth]
            scored += [ScoredDoc(qid, docids[place], float(scores[place])) for place in best if scores[place] > 0]
        advance(1)
    return Run(scored)
