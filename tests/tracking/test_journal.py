"""The journal: what is written is read back, and nothing counts twice."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optical.errors import DataError, InfrastructureError
from optical.tracking.journal import Journal, read_journal, rows


def test_rows_come_back_in_order_with_their_fields(tmp_path):
    with Journal(tmp_path / "deep" / "journal.jsonl") as journal:
        journal.write("start", recipe="demo")
        journal.write("step", step=1, loss=0.5, pairs=np.int64(64))
    first, second = read_journal(journal.path)
    assert (first["event"], first["recipe"]) == ("start", "demo")
    assert (second["step"], second["loss"], second["pairs"]) == (1, 0.5, 64)
    assert second["time"] >= first["time"] > 0


def test_each_row_can_be_read_at_once_and_closing_twice_is_harmless(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    journal.write("step", step=1)
    assert len(read_journal(journal.path)) == 1
    journal.sync()
    journal.close()
    journal.close()


@pytest.mark.parametrize(("value", "word"), [(math.nan, "nan"), (math.inf, "inf"), (np.float32("-inf"), "-inf")])
def test_non_finite_numbers_become_null_and_are_named(tmp_path, value, word):
    with Journal(tmp_path / "journal.jsonl") as journal:
        journal.write("step", step=1, loss=value, measures={"map": [0.5, value]})
    (row,) = read_journal(journal.path)
    assert row["loss"] is None
    assert row["measures"] == {"map": [0.5, None]}
    assert row["non_finite"] == {"loss": word, "measures.map.1": word}


@pytest.mark.parametrize("tail", [b'{"event": "st', b'{"event": "step"}', b"\x00\x00\n", b"[1]\n"])
def test_a_torn_last_line_is_ignored_and_cut_off_on_reopening(tmp_path, tail):
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.write("step", step=1)
    path.write_bytes(path.read_bytes() + tail)
    assert [row["step"] for row in read_journal(path)] == [1]
    with Journal(path) as journal:
        journal.write("step", step=2)
    assert [row["step"] for row in read_journal(path)] == [1, 2]
    assert all(json.loads(line) for line in path.read_text().splitlines())


def test_a_damaged_line_in_the_middle_is_an_error_that_names_it(tmp_path):
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "a"}\nrubbish\n{"event": "b"}\n')
    with pytest.raises(DataError, match=r"journal\.jsonl: line 2 is not a JSON object"):
        read_journal(path)


def test_a_missing_journal_is_an_error_that_names_it(tmp_path):
    with pytest.raises(DataError, match="no journal here"):
        read_journal(tmp_path / "journal.jsonl")


def test_a_journal_that_cannot_be_opened_is_an_infrastructure_error(tmp_path):
    with pytest.raises(InfrastructureError, match="cannot be opened"):
        Journal(tmp_path)


def test_a_resumed_run_counts_each_step_once_and_keeps_the_last_writing(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        for step in (1, 2, 3):
            journal.write("step", stage="student", step=step, loss=float(step))
    with Journal(journal.path) as resumed:
        resumed.write("resume", at=1)
        for step in (2, 3, 4):
            resumed.write("step", stage="student", step=step, loss=10.0 * step)
    losses = [row["loss"] for row in rows(journal.path) if row["event"] == "step"]
    assert losses == [1.0, 20.0, 30.0, 40.0]
    assert sum(row["event"] == "resume" for row in rows(journal.path)) == 1


def test_teacher_and_student_steps_do_not_hide_each_other(tmp_path):
    with Journal(tmp_path / "journal.jsonl") as journal:
        for stage in ("teacher", "student"):
            journal.write("step", stage=stage, step=1)
        journal.write("dev", stage="student", step=1)
    assert len(rows(journal.path)) == 3


_values = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_fields = st.dictionaries(st.sampled_from(["loss", "pairs", "note"]), _values | st.text(max_size=20))


@settings(max_examples=30, deadline=None)
@given(written=st.lists(_fields, max_size=5))
def test_reading_gives_what_was_written(tmp_path_factory, written):
    path = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    with Journal(path) as journal:
        for fields in written:
            journal.write("step", **fields)
    assert [{k: v for k, v in row.items() if k not in ("event", "time")} for row in read_journal(path)] == written
