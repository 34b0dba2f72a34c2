"""Protocols: which systems a run can measure, what is tested, and a new protocol that is one file."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from optical.components import config_class, names
from optical.data.collections.qrels import Qrel
from optical.errors import DataError, UserError
from optical.evaluation import protocols
from optical.evaluation.comparison import compare
from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.protocols.crosslingual import Config
from optical.evaluation.runs import Run, ScoredDoc
from optical.report.build import write_report
from optical.report.content import ReportContent
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.graph.collection import COLLECTION
from pipelines.graph.runs import systems
from pipelines.recipes import recipe
from tests.doors.places import Placed

PACKAGE = "optical.evaluation.protocols"
TOY = """
from dataclasses import dataclass
from typing import ClassVar

from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.systems import Reading, System


@dataclass(frozen=True, kw_only=True)
class Config(EvaluationConfig):
    protocol: str = "toy"
    measures: tuple[str, ...] = ("nDCG@20", "AP")
    baseline: str = "monolingual"
    test: ClassVar[str] = "a toy test"
    systems: ClassVar[tuple[System, ...]] = (
        System(name="student", made_by=Reading("student", "query"), label="student", meaning="reads the query"),
        System(name="monolingual", made_by=Reading("teacher", "english"), label="English", meaning="reads English"),
    )

    def p_value(self, system, baseline):
        return 0.125
"""


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EvaluationConfig]:
    """A protocol that exists as one more file among the others, and nowhere else."""
    (tmp_path / "toy.py").write_text(TOY)
    monkeypatch.setattr(protocols, "__path__", [*protocols.__path__, str(tmp_path)])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert {"crosslingual", "toy"} <= set(names(PACKAGE))
    yield config_class(PACKAGE, "toy", "evaluation.protocol")(collection="c")
    sys.modules.pop(f"{PACKAGE}.toy")
    del protocols.toy


def _run(**topics: str) -> Run:
    return Run(ScoredDoc(qid, docid, -rank) for qid, docs in topics.items() for rank, docid in enumerate(docs))


QRELS = [Qrel("q1", "a", 1), Qrel("q2", "b", 1)]


def test_a_protocol_is_one_file(toy: EvaluationConfig, tmp_path: Path) -> None:
    pq.write_table(pa.table({"english": ["one", "two"]}), tmp_path / "topics.parquet")
    workspace = Placed(replace(recipe("demo"), evaluation=toy), Settings(), {COLLECTION: tmp_path}, {})
    assert [system.name for system in systems(workspace)] == ["student", "monolingual"]
    found = compare({"student": _run(q1="ba", q2="ab"), "monolingual": _run(q1="ab", q2="ab")}, QRELS, toy)
    said = found.as_dict()
    assert said["measures"] == {
        "student": {"nDCG@20": pytest.approx(0.6309, abs=1e-4), "AP": 0.5},
        "monolingual": {"nDCG@20": pytest.approx(0.8155, abs=1e-4), "AP": 0.75},
    }
    assert said["p"] == {"student": 0.125}
    assert list(said["intervals"]["student"]) == ["nDCG@20", "AP"]
    content = ReportContent(
        recipe={"name": "toy"}, fingerprint="f", systems=found.systems, protocol=toy, p_values=found.p
    )
    page = write_report(tmp_path / "report", content).read_text()
    for expected in (
        *("student reaches nDCG@20 0.631, -0.185 against English (0.815, p = 0.1250).", "p belongs to nDCG@20"),
        *("p vs English", "<dt>monolingual</dt><dd>reads English.</dd>", "a toy test."),
        *("Largest gains over English", "monolingual nDCG@20", "better on 0 topics, worse on 1, equal on 1 (nDCG@20)"),
    ):
        assert expected in page, expected


def test_a_flag_chooses_a_protocol_which_keeps_the_collection_and_brings_its_measures(toy: EvaluationConfig) -> None:
    _, command = parse(["evaluate", "demo", "--evaluation.protocol", "toy", "--evaluation.seed", "3"])
    chosen = command.recipe.evaluation
    assert type(chosen) is type(toy)
    assert (chosen.collection, chosen.seed, chosen.measures) == ("demo-topics", 3, ("nDCG@20", "AP"))
    with pytest.raises(UserError, match="did you mean crosslingual"):
        parse(["evaluate", "demo", "--evaluation.protocol", "crosslingul"])


@pytest.mark.parametrize(
    ("encoders", "fields", "expected"),
    [
        ({"teacher", "student"}, {"query", "english"}, ["zero_shot", "student", "english_ceiling"]),
        ({"teacher", "student"}, {"query"}, ["zero_shot", "student"]),
        ({"teacher", "start", "student"}, {"query"}, ["zero_shot", "student_start", "student"]),
    ],
)
def test_a_system_without_its_encoder_or_its_text_is_left_out(encoders: set, fields: set, expected: list) -> None:
    assert [system.name for system in Config(collection="c").possible(encoders, fields)] == expected


def test_a_baseline_that_cannot_be_measured_is_refused(toy: EvaluationConfig) -> None:
    with pytest.raises(DataError, match="evaluation.baseline is monolingual, which this run cannot measure"):
        toy.possible({"teacher", "student"}, {"query"})


def test_every_system_is_tested_against_the_baseline_and_corrected() -> None:
    good, bad = _run(q1="a", q2="b"), _run(q1="xa", q2="xb")
    runs = {"zero_shot": bad, "student": good, "english_ceiling": good}
    found = compare(runs, QRELS, Config(collection="c"), ("a remark",))
    assert found.p == {"student": 1.0, "english_ceiling": 1.0}  # two topics: 2 / 4, twice
    assert found.intervals["student"]["AP"].low == 1.0
    assert found.as_dict()["remarks"] == ["a remark"]
    assert found.as_dict()["missing"] == {"zero_shot": [], "student": [], "english_ceiling": []}
