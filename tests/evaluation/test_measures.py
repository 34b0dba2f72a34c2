"""Measures: hand-computed values, all judged topics, agreement with trec_eval."""

import math

import numpy as np
import pytest
import pytrec_eval

from optical.data.collections.qrels import Qrel
from optical.errors import DataError
from optical.evaluation.measures import measure
from optical.evaluation.notation import MEASURES
from optical.evaluation.runs import Run, ScoredDoc


def _run(**topics: str) -> Run:
    """Runs of one-letter documents, best first."""
    return Run(ScoredDoc(qid, docid, -rank) for qid, docs in topics.items() for rank, docid in enumerate(docs))


def test_five_documents_by_hand() -> None:
    qrels = [Qrel("q", "b", 1), Qrel("q", "d", 2), Qrel("q", "x", 1), Qrel("q", "a", 0)]
    measured = measure(_run(q="abcde"), qrels)
    gains, ideal = 1 / math.log2(3) + 2 / math.log2(5), 2 + 1 / math.log2(3) + 1 / math.log2(4)
    assert measured.mean == pytest.approx(
        {"AP": (1 / 2 + 2 / 4) / 3, "RR@10": 1 / 2, "nDCG@10": gains / ideal, "R@100": 2 / 3}
    )
    assert measured.per_topic["AP"] == {"q": measured.mean["AP"]}


def test_cutoffs_of_ten_and_a_hundred() -> None:
    docs = [ScoredDoc("q", f"d{rank:03}", -rank) for rank in range(1, 121)]
    qrels = [Qrel("q", docid, 1) for docid in ("d011", "d100", "d101")]
    mean = measure(Run(docs), qrels).mean
    assert (mean["RR@10"], mean["nDCG@10"], mean["R@100"]) == pytest.approx((0, 0, 2 / 3))
    assert mean["AP"] == pytest.approx((1 / 11 + 2 / 100 + 3 / 101) / 3)


@pytest.mark.parametrize(("relevant", "expected"), [("a", 1 / 3), ("b", 1 / 2), ("c", 1.0)])
def test_every_measure_breaks_ties_by_docid_descending(relevant: str, expected: float) -> None:
    run = Run([ScoredDoc("q", docid, 1.0) for docid in "bac"])
    mean = measure(run, [Qrel("q", relevant, 1)]).mean
    assert mean["AP"] == pytest.approx(expected)
    assert mean["RR@10"] == pytest.approx(expected)


def test_all_judged_topics_count_and_missing_ones_are_listed() -> None:
    qrels = [Qrel("z", "a", 1), Qrel("gone", "a", 1), Qrel("none", "a", 0), Qrel("alone", "a", 1)]
    measured = measure(_run(z="a", none="ab", unjudged="a"), qrels)
    assert measured.missing == ("gone", "alone")
    assert measured.topics == ("z", "gone", "none", "alone")
    for name in MEASURES:
        assert measured.per_topic[name] == {"z": 1.0, "gone": 0.0, "none": 0.0, "alone": 0.0}
        assert measured.mean[name] == 0.25


def test_an_empty_run_is_worth_nothing() -> None:
    measured = measure(Run([]), [Qrel("q1", "a", 1), Qrel("q2", "a", 1)])
    assert measured.mean == dict.fromkeys(("AP", "RR@10", "nDCG@10", "R@100"), 0.0)
    assert measured.missing == ("q1", "q2")


def test_no_judgements_are_refused() -> None:
    with pytest.raises(DataError, match="no topic is judged"):
        measure(_run(q="a"), [])


def test_a_run_of_other_topics_is_refused() -> None:
    with pytest.raises(DataError, match=r"none of its 2 topics is judged \('q01' is of the run, 'q1' of the qrels\)"):
        measure(_run(q01="a", q02="a"), [Qrel("q1", "a", 1)])


def test_trec_eval_gives_the_same_numbers() -> None:
    rng = np.random.default_rng(3)
    # Coarse scores give many ties; tiny offsets give some that only single precision has.
    docs = [
        ScoredDoc(f"q{topic}", f"d{doc}", float(rng.integers(1, 40) + rng.choice([0, 1e-9])))
        for topic in range(20)
        for doc in rng.choice(300, 150, replace=False)
    ]
    qrels = [Qrel(f"q{topic}", f"d{doc}", int(rng.integers(-1, 4))) for topic in range(20) for doc in range(0, 300, 7)]
    judged: dict[str, dict[str, int]] = {}
    ranked: dict[str, dict[str, float]] = {}
    for qrel in qrels:
        judged.setdefault(qrel.qid, {})[qrel.docid] = qrel.relevance
    for doc in docs:
        ranked.setdefault(doc.qid, {})[doc.docid] = doc.score
    names = {"AP": "map", "nDCG@10": "ndcg_cut_10", "R@100": "recall_100", "RR@10": "recip_rank"}
    reference = pytrec_eval.RelevanceEvaluator(judged, {"map", "ndcg_cut.10", "recall.100", "recip_rank"})
    expected = reference.evaluate(ranked)
    measured = measure(Run(docs), qrels)
    for name, theirs in names.items():
        for qid, value in measured.per_topic[name].items():
            want = expected[qid][theirs]
            if name == "RR@10" and want < 0.1:
                want = 0.0
            assert value == pytest.approx(want), (name, qid)
