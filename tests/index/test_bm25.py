"""BM25 over words: against bm25s called directly, and against the formula."""

import math

import bm25s
import pytest

from optical.evaluation.runs import Run
from optical.index.bm25 import bm25_run

PASSAGES = {
    "p1": "The Nile is a river.",
    "p2": "A river, the river of the school!",
    "p3": "Nothing at all",
    "p4": "the school",
}


def _run(queries: dict[str, str], depth: int = 10, passages: dict[str, str] = PASSAGES) -> Run:
    return bm25_run(list(passages), list(passages.values()), queries, 0.9, 0.4, depth)


def test_the_ranking_and_the_scores_are_those_of_bm25s():
    corpus = [["the", "nile", "is", "a", "river"], ["a", "river", "the", "river", "of", "the", "school"]]
    corpus += [["nothing", "at", "all"], ["the", "school"]]
    reference = bm25s.BM25(k1=0.9, b=0.4)
    reference.index(corpus, show_progress=False)
    found, scores = reference.retrieve([["the", "river"]], k=3, show_progress=False)
    expected = {
        list(PASSAGES)[place]: score for place, score in zip(found[0].tolist(), scores[0].tolist(), strict=True)
    }
    ranking = _run({"q": "The RIVER"}).rankings["q"]
    assert {doc.docid: doc.score for doc in ranking} == pytest.approx(expected)
    assert [doc.docid for doc in ranking] == ["p2", "p1", "p4"]


def test_a_score_by_hand():
    """Lucene's BM25: idf ln(1 + (N - n + 0.5) / (n + 0.5)), tf / (tf + k1 (1 - b + b length / mean length))."""
    (doc,) = _run({"q": "nile"}).rankings["q"]
    idf = math.log(1 + (4 - 1 + 0.5) / (1 + 0.5))
    assert doc.score == pytest.approx(idf / (1 + 0.9 * (1 - 0.4 + 0.4 * 5 / (17 / 4))), rel=1e-5)


def test_only_passages_that_share_a_word_are_found_at_most_depth_of_them():
    run = _run({"q": "river", "none": "mto", "empty": "?", "all": "the"}, depth=1)
    assert run.docids("q") == ("p2",) and len(run.docids("all")) == 1
    assert "none" not in run and "empty" not in run


def test_a_word_that_is_there_twice_counts_twice():
    once, twice = (_run({"q": text}).rankings["q"][0].score for text in ("nile", "nile nile"))
    assert twice == pytest.approx(2 * once)


def test_passages_without_words_are_never_found():
    assert len(_run({"q": "river"}, passages={"p": "...", "r": "?"})) == 0
