"""How encoders read texts is checked before any work: prefixes, lengths that leave room, the teacher's settings."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.batches.config import MixtureConfig
from optical.errors import UserError
from optical.report.provenance import flatten
from pipelines.checks.faults import faults
from pipelines.checks.lengths import cuts
from pipelines.cli.parse import parse
from pipelines.environment import Settings
from pipelines.graph.passages import EMBEDDINGS
from pipelines.graph.runs import RUNS
from pipelines.graph.student import STUDENT, STUDENT_BRIDGE, STUDENT_START, TOKENS
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes import recipe
from tests.doors.recipes import changed
from tests.model.formats import folders


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> Path:
    return folders.bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture(scope="module")
def xlmr(tmp_path_factory) -> Path:
    return folders.xlm_roberta(tmp_path_factory.mktemp("xlmr"))


@pytest.fixture(scope="module")
def overwriting(tmp_path_factory) -> Path:
    return folders.stanford(tmp_path_factory.mktemp("plaid"), kd_loss="KLD", query_maxlen=12)


SIDES = ("source", "target")


def made(teacher: Path, **values):
    lengths = {f"train__{side}_length": 16 for side in SIDES}
    short = {"teacher__query_length": 16, "teacher__document_length": 16}
    return changed(
        recipe("swahili_minilm"), teacher__weights=str(teacher), student__vocabulary=0, **(lengths | short | values)
    )


def found(teacher: Path, student: Path | None = None, **values) -> list[str]:
    own = {"student__weights": str(student)} if student else {}
    return [str(fault) for fault in faults(made(teacher, **own, **values), teacher, student)]


def test_nothing_is_said_about_what_fits(bert, xlmr, overwriting):
    assert found(bert) == found(bert, xlmr) == found(overwriting) == []


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (
            {"teacher__query_length": 4, "teacher__query_prefix": "hello world "},
            "teacher.query_length: is 4, and 4 tokens",
        ),
        ({"teacher__document_length": 4, "teacher__document_prefix": "hello world "}, "teacher.document_length: is 4"),
        ({"train__source_length": 4, "teacher__query_prefix": "hello world "}, "train.source_length: is 4"),
        ({"train__target_length": 4, "teacher__query_prefix": "hello world "}, "train.target_length: is 4"),
        (
            {"train__target_length": 4, "teacher__document_prefix": "hello world ", "teacher__target_role": "document"},
            "train.target_length: is 4",
        ),
        ({"teacher__centre": "on", "teacher__centre_directions": 32}, "teacher.centre_directions: is 32"),
    ],
)
def test_what_leaves_no_room_is_refused(bert, values, said):
    [fault] = found(bert, **values)
    assert fault.startswith(said) and "\n" not in fault


def test_the_prefix_of_another_side_takes_no_room(bert):
    assert found(bert, train__target_length=4, teacher__document_prefix="hello world ") == []
    assert found(bert, teacher__centre_directions=32) == []


def test_a_student_of_its_own_is_asked_for_the_sources_and_the_teacher_for_the_rest(bert, xlmr, tmp_path):
    wide = folders.xlm_roberta(tmp_path, max_position_embeddings=202)
    assert found(bert, wide, train__source_length=100) == []
    assert [fault.split(":")[0] for fault in found(bert, xlmr, train__source_length=100)] == ["train.source_length"]
    assert [fault.split(":")[0] for fault in found(bert, wide, train__target_length=100)] == ["train.target_length"]


def test_a_student_of_its_own_has_a_prefix_of_its_own(bert, xlmr, overwriting):
    own = {"student__query_prefix": "hello world hello world "}
    assert found(bert, xlmr, **own) == []
    [fault] = found(bert, xlmr, train__source_length=4, **own)
    assert fault.startswith("train.source_length: is 4, and ")
    [fault] = found(bert, overwriting, student__query_prefix="")
    assert fault.startswith("student.query_prefix: is empty, and the marker takes the place")
    with pytest.raises(UserError, match="^student.query_prefix: is 'hello', and a student without weights of its own"):
        changed(recipe("demo"), student__query_prefix="hello")


def test_a_student_of_its_own_is_looked_at_beside_a_teacher_that_the_run_trains(xlmr, overwriting):
    def said(own: Path, **values) -> list[str]:
        return [str(fault) for fault in faults(changed(recipe("demo"), student__weights=str(own), **values), None, own)]

    short = {f"{where}__{side}_length": 16 for where in ("train", "teacher__scratch__train") for side in SIDES}
    short |= {"teacher__query_length": 16}
    assert said(xlmr, **short) == said(overwriting, **short) == []
    [fault] = said(xlmr, **short | {"train__source_length": 4}, student__query_prefix="hello world hello world ")
    assert fault.startswith("train.source_length: is 4, and ")
    [fault] = said(overwriting, **short, student__query_prefix="")
    assert fault.startswith("student.query_prefix: is empty, and the marker takes the place")


def test_every_length_of_a_recipe_is_looked_at_by_whoever_reads_at_it():
    bridge = replace(recipe("demo").train, mixture=MixtureConfig(mono_share=0.5))
    full = changed(recipe("demo"), student__bridge=bridge, teacher__target_role="document")
    lengths = {name for name, _ in flatten(full.as_dict()) if name.endswith("_length")}
    assert {cut.field for cut in cuts(full)} == lengths and len(lengths) == 8
    found = {(cut.field, cut.reader, cut.role) for cut in cuts(full)}
    assert found >= {
        ("teacher.query_length", "teacher", "query"),
        ("teacher.query_length", "student", "query"),
        ("student.bridge.source_length", "student", "query"),
        ("student.bridge.target_length", "teacher", "document"),
        ("teacher.scratch.train.source_length", "teacher", "query"),
    }


def test_a_student_reads_the_english_side_too_and_needs_room_there(bert, xlmr):
    """Every batch cuts the English side as the student reads it, to the shorter of both lengths."""
    [fault] = found(bert, xlmr, train__target_length=5, student__query_prefix="hello world hello world ")
    assert fault.startswith("train.target_length: is 5, and ")
    [fault] = found(bert, train__target_length=4, teacher__query_prefix="hello world ", teacher__target_role="document")
    assert fault.startswith("train.target_length: is 4, and ")
    assert found(bert, xlmr, train__target_length=5) == []


def test_a_marker_that_overwrites_needs_its_prefix(overwriting):
    [fault] = found(overwriting, teacher__query_prefix="")
    assert fault.startswith("teacher.query_prefix: is empty, and the marker takes the place")


@pytest.mark.parametrize(
    ("field", "value"),
    [("target_role", "passage"), ("query_tokens", "none"), ("centre", "yes"), ("centre_directions", -1)],
)
def test_an_impossible_value_is_refused(field, value):
    with pytest.raises(UserError, match=f"^teacher.{field}: is "):
        changed(recipe("swahili_minilm"), **{f"teacher__{field}": value})


def test_the_command_line_gives_every_setting_of_reading():
    words = "run swahili_minilm --teacher.query_prefix q: --teacher.query_tokens inner --teacher.centre dev"
    teacher = parse([*words.split(), "--teacher.target_role", "document"])[1].recipe.teacher
    assert (teacher.query_prefix, teacher.query_tokens, teacher.centre) == ("q:", "inner", "dev")
    assert teacher.target_role == "document"
    assert parse(["run", "swahili_minilm"])[1].recipe.teacher.query_tokens is None


DEMO = {"bitext__datasets": ("demo",), "evaluation__collection": "demo-topics"}
NODES = {"teacher": TEACHER, "start": STUDENT_START, "tokens": TOKENS, "embeddings": EMBEDDINGS, "student": STUDENT}


@pytest.mark.parametrize(
    ("values", "anew"),
    [
        ({}, set()),
        ({"teacher__target_role": "document"}, {"start", "tokens", "student"}),
        ({"teacher__query_prefix": "hello "}, set(NODES)),
        ({"teacher__centre": "on"}, set(NODES)),
        ({"teacher__centre_directions": 2}, set()),
        ({"teacher__query_tokens": "inner"}, set(NODES)),
        ({"student__start": "procrustes"}, {"start", "tokens", "student"}),
        ({"student__query_prefix": "hello "}, {"start", "tokens", "student"}),
        ({"student__query_prefix": ""}, {"start", "tokens", "student"}),
        ({"student__layers": 1}, {"start", "tokens", "student"}),
        ({"student__word_embeddings": "freeze"}, {"student"}),
        ({"train__seed": 4}, {"student"}),
        ({"teacher__query_length": 20}, set()),
        ({"teacher__document_length": 20}, {"embeddings"}),
        ({"train__dev_steps": 3}, set()),
    ],
)
def test_a_setting_makes_anew_what_it_decides_and_nothing_else(bert, xlmr, tmp_path, values, anew):
    def prints(**some) -> dict[str, str]:
        files = DEMO | {"student__weights": str(xlmr)}
        settings = Settings(runs_dir=tmp_path, mirror=None)
        workspace = Workspace(made(bert, **files, **some), settings)
        return {name: workspace.fingerprint_of(node) for name, node in NODES.items()}

    before, after = prints(), prints(**values)
    assert {name for name in NODES if before[name] != after[name]} == anew


@pytest.mark.parametrize("values", [{"student__start": "none"}, {"student__weights": None, "student__layers": 1}])
def test_a_role_decides_no_start_without_a_projection(bert, xlmr, tmp_path, values):
    def print_of(role: str) -> str:
        own = {"student__weights": str(xlmr), "teacher__target_role": role} | DEMO
        workspace = Workspace(made(bert, **(own | values)), Settings(runs_dir=tmp_path, mirror=None))
        return workspace.fingerprint_of(STUDENT_START)

    assert print_of("query") == print_of("document")


def test_the_student_is_known_by_its_files_and_not_by_their_place(bert, tmp_path):
    def prints(folder) -> list[str]:
        files = {
            "bitext__datasets": ("demo",),
            "evaluation__collection": "demo-topics",
            "student__weights": str(folder),
        }
        workspace = Workspace(made(bert, **files), Settings(runs_dir=tmp_path, mirror=None))
        return [workspace.fingerprint_of(node) for node in (STUDENT_START, TOKENS, STUDENT_BRIDGE, STUDENT, RUNS)]

    one, other = folders.xlm_roberta(tmp_path / "one"), folders.xlm_roberta(tmp_path / "other")
    before = prints(one)
    assert prints(other) == before
    (other / "config_sentence_transformers.json").write_text(json.dumps({"prompts": {"query": "hello "}}))
    assert not set(prints(other)) & set(before)
