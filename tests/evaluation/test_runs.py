"""Runs and qrels: the tie rule, exact round trips, refusals that name file and line."""

import gzip
import pickle
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optical.data.collections.qrels import Qrel
from optical.errors import DataError, UserError
from optical.evaluation.runs import Run, ScoredDoc, read_qrels, read_run, write_qrels, write_run

NAMES = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=6)
SCORES = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, -0.0, 1.0])


@st.composite
def runs(draw: st.DrawFn) -> Run:
    """Runs of any ids and finite scores, many of them tied."""
    keys = draw(st.sets(st.tuples(NAMES, NAMES), max_size=12))
    return Run(ScoredDoc(qid, docid, draw(SCORES)) for qid, docid in keys)


@settings(max_examples=40, deadline=None)
@given(run=runs())
def test_reading_a_written_run_gives_the_run(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_run(tmp_path_factory.mktemp("run") / "run.txt", run, "tag")
    assert read_run(path) == run
    assert list(read_run(path)) == list(run)


def test_ties_go_by_docid_descending_and_ranks_follow(tmp_path: Path) -> None:
    docs = [ScoredDoc("q", docid, score) for docid, score in (("a", 1.0), ("c", 1.0), ("b", 1.0), ("z", 0.5), ("m", 2))]
    path = write_run(tmp_path / "run.txt", Run(docs), "student")
    assert path.read_text() == (
        "q Q0 m 1 2.0 student\nq Q0 c 2 1.0 student\nq Q0 b 3 1.0 student\nq Q0 a 4 1.0 student\nq Q0 z 5 0.5 student\n"
    )


def test_scores_equal_in_single_precision_are_tied() -> None:
    run = Run([ScoredDoc("q", "a", 1.0 + 1e-9), ScoredDoc("q", "b", 1.0)])
    assert run.docids("q") == ("b", "a")


def test_input_order_and_rank_column_do_not_matter(tmp_path: Path) -> None:
    path = tmp_path / "run.txt"
    path.write_text("q Q0 low 1 1.5 t\n\nother Q0 x 1 0 t\nq Q0 high 2 2.5 t\n")
    run = read_run(path)
    assert run.docids("q") == ("high", "low")
    assert run.docids("absent") == ()
    assert "other" in run and "absent" not in run
    assert len(run) == 3


def test_a_run_survives_pickling() -> None:
    run = Run([ScoredDoc("q", "a", 0.1)])
    assert pickle.loads(pickle.dumps(run)) == run


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("q Q0 d 1 0.5", "5 fields"),
        ("q Q0 d 1 high tag", "'high' is not a finite number"),
        ("q Q0 d 1 1_0 tag", "'1_0' is not a finite number"),
        ("q Q0 d 1 nan tag", "'nan' is not a finite number"),
        ("q Q0 d 1 inf tag", "'inf' is not a finite number"),
        ("q Q0 first 1 0.5 tag", "second time"),
    ],
)
def test_a_malformed_run_line_is_named(tmp_path: Path, line: str, rule: str) -> None:
    path = tmp_path / "run.txt"
    path.write_text(f"q Q0 first 1 1.0 tag\n{line}\n")
    with pytest.raises(DataError, match=rule) as failure:
        read_run(path)
    assert failure.value.where == f"{path}:2"


@pytest.mark.parametrize(
    ("line", "rule"), [("q 0 d", "3 fields"), ("q 0 d 1.5", "whole number"), ("q 0 first 0", "judged 0 here and 1 in ")]
)
def test_a_malformed_qrels_line_is_named(tmp_path: Path, line: str, rule: str) -> None:
    path = tmp_path / "qrels.txt"
    path.write_text(f"q 0 first 1\n{line}\n")
    with pytest.raises(DataError, match=rule) as failure:
        read_qrels(path)
    assert failure.value.where == f"{path}:2"


def test_a_qrels_line_that_is_repeated_counts_once(tmp_path: Path) -> None:
    (tmp_path / "qrels.txt").write_text("q 0 d 1\nq 1 d 1.0\n")
    assert read_qrels(tmp_path / "qrels.txt") == (Qrel("q", "d", 1),)


def test_runs_and_qrels_are_read_from_gzip_and_with_windows_line_ends(tmp_path: Path) -> None:
    (tmp_path / "run.trec.gz").write_bytes(gzip.compress(b"q Q0 d 1 0.5 tag\r\n"))
    assert read_run(tmp_path / "run.trec.gz") == Run([ScoredDoc("q", "d", 0.5)])
    (tmp_path / "qrels.gz").write_bytes(gzip.compress(b"query-id\tcorpus-id\tscore\r\nq\td\t1\r\n"))
    assert read_qrels(tmp_path / "qrels.gz") == (Qrel("q", "d", 1),)
    (tmp_path / "qrels.gz").write_bytes(gzip.compress(b"q 0 d 1\n" * 99)[:-9])
    with pytest.raises(DataError, match="truncated"):
        read_qrels(tmp_path / "qrels.gz")


def test_missing_and_binary_files_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be opened"):
        read_run(tmp_path / "absent.txt")
    (tmp_path / "latin").write_bytes(b"q 0 caf\xe9 1\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read_qrels(tmp_path / "latin")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError):
        read_qrels(tmp_path / "binary")


@pytest.mark.parametrize("docid", ["", "a b", "a\n", "a\u00a0b"])
def test_an_id_no_file_can_hold_is_refused(tmp_path: Path, docid: str) -> None:
    with pytest.raises(DataError, match="white space"):
        Run([ScoredDoc("q", docid, 1.0)])
    with pytest.raises(DataError, match="white space"):
        write_qrels(tmp_path / "qrels.txt", [Qrel("q", docid, 1)])


def test_nan_repeats_and_bad_tags_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="finite"):
        Run([ScoredDoc("q", "d", float("nan"))])
    with pytest.raises(DataError, match="twice"):
        Run([ScoredDoc("q", "d", 1.0), ScoredDoc("q", "d", 2.0)])
    with pytest.raises(DataError, match="tag"):
        write_run(tmp_path / "run.txt", Run([]), "two words")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, old = tmp_path / "run.txt", Run([ScoredDoc("q", "a", 1.0)])
    write_run(path, old, "tag")

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        write_run(path, Run([]), "tag")
    assert read_run(path) == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.txt"]


def test_a_folder_in_the_file_s_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a directory"):
        write_run(tmp_path, Run([]), "tag")


def test_qrels_round_trip_and_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path, qrels = tmp_path / "qrels.txt", (Qrel("q2", "d", 1), Qrel("q1", "d", 0), Qrel("q1", "e", -1))
    write_qrels(path, qrels)
    with pytest.raises(DataError, match="second time"):
        write_qrels(path, (*qrels, Qrel("q1", "e", 2)))
    assert read_qrels(path) == qrels
    assert [entry.name for entry in tmp_path.iterdir()] == ["qrels.txt"]
