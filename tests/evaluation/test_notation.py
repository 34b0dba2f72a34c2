"""Notation: which measures are accepted, which are refused by name, and what a page calls them."""

import subprocess
import sys
from dataclasses import replace

import pytest

from optical.data.collections.qrels import Qrel
from optical.errors import UserError
from optical.evaluation.measures import measure
from optical.evaluation.notation import MEASURES, check_notation, cutoff, meaning, title
from optical.evaluation.protocols.crosslingual import Config
from optical.evaluation.runs import Run, ScoredDoc


@pytest.mark.parametrize(
    ("measures", "fault"),
    [
        (["AP", "nDGC@10"], "'nDGC@10' is not a measure of ir_measures; did you mean nDCG?"),
        (["foo"], "'foo' is not a measure of ir_measures; give a measure of ir_measures with its cutoff"),
        (["R"], "'R' is not a complete measure"),
        (["P@0"], "'P@0' looks at no passage"),
        (["AP@10 RR"], "'AP@10 RR' is not a complete measure"),
        (["MAP"], "'MAP' is written AP in ir_measures; write AP"),
        (["NDCG@10"], "write nDCG@10"),
        (["NumRet"], "'NumRet' is a sum over topics"),
        (["AP", "AP"], "names AP twice"),
        ([], "names no measure"),
    ],
)
def test_a_measure_that_cannot_be_computed_is_refused_by_name(measures: list[str], fault: str) -> None:
    with pytest.raises(UserError, match="evaluation.measures") as caught:
        Config(collection="c", measures=tuple(measures))
    assert fault in str(caught.value)


def test_a_measure_whose_tool_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setattr("ir_measures.DefaultPipeline.supports", lambda measure: False)
    with pytest.raises(UserError, match="needs a program or package that is not installed"):
        check_notation("measures", ["ERR@20"])


def test_any_measure_of_ir_measures_is_computed_under_its_own_name() -> None:
    run = Run([ScoredDoc("q", docid, -rank) for rank, docid in enumerate("abcd")])
    qrels = [Qrel("q", "a", 1), Qrel("q", "c", 2)]
    chosen = Config(collection="c", measures=("nDCG@3", "P(rel=2)@4", "Judged@2", "Success@1")).measures
    mean = measure(run, qrels, chosen).mean
    assert list(mean) == list(chosen)
    assert (mean["P(rel=2)@4"], mean["Judged@2"], mean["Success@1"]) == (0.25, 0.5, 1.0)


def test_the_first_measure_is_the_one_that_is_tested() -> None:
    config = Config(collection="c")
    assert (config.tested, config.measures) == ("AP", MEASURES)
    assert replace(config, measures=("nDCG@20", "AP")).tested == "nDCG@20"


def test_titles_cutoffs_and_meanings() -> None:
    assert [title(name) for name in (*MEASURES, "AP@5", "P(rel=2)@5")] == [
        *("MAP", "MRR@10", "nDCG@10", "R@100"),
        *("MAP@5", "P(rel=2)@5"),
    ]
    assert [cutoff(name) for name in (*MEASURES, "IPrec@0.1", "RBP(p=0.5)@7")] == [None, 10, 10, 100, None, 7]
    assert meaning("AP").startswith("mean average precision")
    assert meaning("Judged@10").startswith("Percentage of results in the top k (cutoff) results")


def test_the_usual_measures_need_no_import_of_ir_measures() -> None:
    code = (
        "import sys; from optical.evaluation.protocols.crosslingual import Config; Config(collection='c'); "
        "sys.exit(any(name in sys.modules for name in ('ir_measures', 'numpy', 'torch')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
