"""Reciprocal rank fusion against values by hand."""

import pytest

from optical.evaluation.fusion import reciprocal_rank_fusion
from optical.evaluation.runs import Run, ScoredDoc


def _run(**topics: str) -> Run:
    return Run(ScoredDoc(qid, docid, 9.0 - rank) for qid, docs in topics.items() for rank, docid in enumerate(docs))


def test_scores_are_sums_of_reciprocal_ranks():
    fused = reciprocal_rank_fusion([_run(q="abc"), _run(q="ca")], k=60, depth=10)
    scores = {doc.docid: doc.score for doc in fused.rankings["q"]}
    assert scores == pytest.approx({"a": 1 / 61 + 1 / 62, "c": 1 / 63 + 1 / 61, "b": 1 / 62})
    assert fused.docids("q") == ("a", "c", "b")


def test_scores_of_the_runs_do_not_matter_and_k_does():
    large = Run(ScoredDoc("q", docid, score) for docid, score in (("a", 1e6), ("b", 1.0)))
    small = Run(ScoredDoc("q", docid, score) for docid, score in (("a", 0.2), ("b", 0.1)))
    assert reciprocal_rank_fusion([large], 60, 5) == reciprocal_rank_fusion([small], 60, 5)
    assert reciprocal_rank_fusion([small], 0, 5).rankings["q"][0].score == 1.0


def test_a_topic_of_one_run_is_ranked_by_it_and_a_ranking_is_cut():
    fused = reciprocal_rank_fusion([_run(q="ab", only="xyz"), _run(q="ba")], k=60, depth=2)
    assert fused.docids("only") == ("x", "y")
    assert fused.docids("q") == ("b", "a")  # equal scores: the larger docid first, as trec_eval ranks
