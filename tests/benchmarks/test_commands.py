"""The benchmarks' own parts on tiny inputs; what they measure is for a quiet machine."""

import json
import sys
import time
from functools import partial

import pytest

from benchmarks import data, ot, ot_methods, quality, train, train_large
from benchmarks.data_peers import PEERS, corpus
from benchmarks.memory import PeakMemory
from benchmarks.running import heading, in_rounds, table
from benchmarks.synthetic import write_corpus
from benchmarks.timing import timed
from benchmarks.train_peers import MseRun
from optical import artefacts
from optical.data.batches.token_shards import TOKENS
from optical.data.bitext.shards import BITEXT
from optical.evaluation.measures import Measured
from optical.evaluation.notation import MEASURES


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The working folder of a thousand pairs."""
    made = tmp_path_factory.mktemp("data")
    write_corpus(corpus(made), 1000)
    data._learn_tokenizer(made)
    return made


def test_a_corpus_is_the_same_every_time_and_has_its_faults(folder, tmp_path):
    write_corpus(tmp_path / "again.tsv", 1000)
    assert (tmp_path / "again.tsv").read_text() == corpus(folder).read_text()
    pairs = [line.split("\t") for line in corpus(folder).read_text().splitlines()]
    assert len(pairs) == 1000
    assert sum(target == "" for _, target in pairs) == 5
    assert sum(one == other for one, other in zip(pairs, pairs[1:], strict=False)) == 5


def test_the_plain_loop_takes_every_stage(folder):
    stages = PEERS["plain loop"]
    stages["clean"](folder, folder / "bitext")
    info = artefacts.read(folder / "bitext", BITEXT).info
    assert info["accepted"] == {"pairs": 990}
    assert info["rejected"] == {"pairs": {"empty": 5, "near_duplicate": 5}}
    stages["tokenise"](folder, folder / "tokens")
    assert artefacts.read(folder / "tokens", TOKENS).info["train"] == 990 - 256
    stages["batches"](folder, folder / "peer")
    assert [data._pairs(stage, folder) for stage in data.STAGES] == [1000, 990, 990 - 256]


def test_speeds_of_data_are_of_medians_and_ratios_of_ours():
    ours = data._row("clean", "optical", 100, [data.Taken(2.0, 5_000_000), data.Taken(1.0, 3_000_000)])
    peer = data._row("clean", "plain loop", 100, [data.Taken(9.0), data.Taken(3.0), data.Taken(1.0)])
    _, cells = data.report([ours, peer])
    assert cells[0] == ["clean", "optical", "100", "1.50", "67", "1.00", "5"]
    assert cells[1] == ["clean", "plain loop", "100", "3.00", "33", "2.00", ""]


def test_speeds_of_training_leave_the_first_wait_out_and_compare_like_with_like():
    steps = [{"seconds": 3.0, "wait_seconds": 2.0}, {"seconds": 1.0, "wait_seconds": 0.5}]
    runs = {"asked": [steps], "cached": [steps[1:] * 2], "both": [MseRun(1.0, 4.0)]}
    columns, cells = train.report(train._rows(runs, 10))
    assert [row[3:] for row in cells] == [["5.0", "1.00"], ["6.7", "1.00"], ["2.0", "2.50"], ["2.5", "2.67"]]
    assert len(table(columns, cells).splitlines()) == 6


def test_a_large_student_is_compared_with_plain_passes_of_its_like():
    size = train_large.Size(rows=200, occurring=20, layers=1, width=16, inner=16, heads=2, pairs=4)
    measured = train_large.measure(1, size)
    plain = {row.word_embeddings: row.seconds for row in measured[:2]}
    assert set(plain) == {"all", "none"}
    words = [(row.contestant, row.word_embeddings) for row in measured[2:]]
    assert words == [("optical", "all"), ("optical", "those that occur"), ("optical", "none")]
    for row in measured:
        assert row.of_plain == plain.get(row.word_embeddings, plain["all"]) / row.seconds
    columns, cells = train_large.report(measured)
    assert len(table(columns, cells).splitlines()) == 7


def test_contestants_take_turns():
    turns = []
    results = in_rounds({name: lambda name=name: turns.append(name) or len(turns) for name in "ab"}, 2)
    assert turns == ["a", "b", "a", "b"]
    assert results == {"a": [1, 3], "b": [2, 4]}


def test_contestants_meet_the_same_draws_and_their_first_call_is_told_apart(monkeypatch):
    monkeypatch.setattr("benchmarks.timing._ROUNDS", 3)
    met = {"quick": [], "slow": []}

    def run(name, number):
        met[name].append(number)
        time.sleep(0.03 if name == "slow" else 0.0)
        return number

    found = timed({name: partial(run, name) for name in met})
    assert met["slow"] == [0, 0, 1, 2]
    assert sorted(set(met["quick"])) == [0, 1, 2]
    assert len(met["quick"]) > 10
    assert [len(taken.rounds) for taken in found.values()] == [3, 3]
    assert found["slow"].first == found["slow"].seconds >= 0.03
    assert found["quick"].result == 0


def test_a_heading_says_what_is_missing():
    said = heading("benchmarks.data", ["--pairs", "2 000"], ("torch", "no-such-package"))
    assert "`python -m benchmarks.data --pairs '2 000'`" in said
    assert "no-such-package missing" in said


@pytest.mark.parametrize(
    ("parse", "arguments"),
    [
        (data.parse, ["--pairs", "999"]),
        (data.parse, ["--object-store-mb", "74"]),
        (train.parse, ["--pairs", "63"]),
        (ot_methods.parse, ["--batch", "7"]),
    ],
)
def test_what_cannot_be_measured_is_refused(parse, arguments, capsys):
    with pytest.raises(SystemExit):
        parse(arguments)
    assert "at least" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_peak_memory_sees_what_was_there():
    with PeakMemory() as empty:
        pass
    held = bytearray(b"x" * (64 << 20))
    with PeakMemory() as full:
        pass
    assert full.bytes - empty.bytes > len(held) // 2


def test_the_table_of_transport_has_a_row_a_cell_and_a_dash_for_who_was_left_out(capsys):
    def row(contestant, *rounds):
        return ot.Row(64, 32, 0.1, "to 0.0001", contestant, rounds, max(rounds, default=None), 3e-5, 2e-6)

    # The peer met two of the three batches, the second of which was hard for it: ratios are to the same batches.
    peers = row("POT batch", 0.01, 0.03), row("POT loop")
    ours = row("compiled", 0.001, 0.001, 0.002), row("torch", 0.004, 0.004, 0.004)
    columns, cells = ot.summary([*ours, *peers])
    assert len(cells) == 1
    found = dict(zip(columns, cells[0], strict=True))
    assert (found["compiled ms"], found["first call"]) == ("1.00", "2.00")
    assert found["compiled, x POT batch"] == "20.0"
    assert found["torch, x POT batch"] == "5.0"
    assert found["compiled, x POT loop"] == found["compiled, x POT batch log"] == "-"
    ot._print_cell([*ours, *peers])
    printed = capsys.readouterr().out
    assert "| compiled | 1.00 | 2.00 | 64,000 | - | 20.0 |" in printed
    assert "| POT loop |" in printed


def test_the_other_methods_are_measured_beside_pot_and_a_reference(capsys, tmp_path):
    ot_methods.main(["--batch", "8", "--lengths", "8", "--epsilons", "0.2", "--json", str(tmp_path / "rows.json")])
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert [line.split(" | ")[0] for line in lines] == ["| unbalanced", "| partial"]
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["contestant"] for row in rows] == 2 * ["with Newton", "sweeps alone", "POT"]
    assert all(0 < row["distance"] < 1e-3 for row in rows)
    assert all(row["unconverged"] == (None if row["contestant"] == "POT" else 0) for row in rows)


def test_quality_compares_systems_topic_by_topic():
    def measured(*precision):
        topics = {str(number): value for number, value in enumerate(precision)}
        return Measured(dict.fromkeys(MEASURES, topics), dict.fromkeys(MEASURES, sum(precision) / len(precision)), ())

    cells = quality._cells({"student": measured(0.5, 1.0, 0.75), "peer": measured(0.25, 0.5, 0.25)})
    assert [row[0] for row in cells] == ["optical student", "peer"]
    assert [row[1] for row in cells] == ["0.750", "0.333"]
    assert [row[5] for row in cells] == ["-", "0.2500"]


def test_quality_refuses_too_few_pairs(capsys):
    with pytest.raises(SystemExit):
        quality.parse(["--pairs", "100"])
    assert "at least 512" in capsys.readouterr().err
