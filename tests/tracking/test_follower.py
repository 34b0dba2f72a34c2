"""The follower: every new row once and in order, whatever the sinks do."""

import threading

from optical.tracking.follower import Follower
from optical.tracking.journal import Journal


def test_rows_reach_every_sink_while_the_journal_grows(tmp_path):
    path, seen, arrived = tmp_path / "journal.jsonl", [], threading.Event()

    def sink(row):
        seen.append(row["step"])
        arrived.set()

    with Follower(path, [sink], interval=0.01), Journal(path) as journal:
        journal.write("step", step=1)
        assert arrived.wait(5)
        journal.write("step", step=2)
    assert seen == [1, 2]


def test_half_a_line_waits_for_its_other_half(tmp_path):
    path, seen = tmp_path / "journal.jsonl", []
    follower = Follower(path, [seen.append])
    path.write_bytes(b'{"step": 1}\n{"st')
    assert follower.poll() == 1
    with path.open("ab") as stream:
        stream.write(b'ep": 2}\n')
    assert follower.poll() == 1
    assert seen == [{"step": 1}, {"step": 2}]


def test_a_resumed_run_shows_only_what_is_new_even_after_a_torn_line(tmp_path):
    path, fresh, all_rows = tmp_path / "journal.jsonl", [], []
    path.write_bytes(b'{"step": 1}\n{"step": ')
    following = Follower(path, [lambda row: fresh.append(row["step"])])
    replaying = Follower(path, [lambda row: all_rows.append(row["step"])], from_start=True)
    with Journal(path) as journal:
        journal.write("step", step=2)
    following.poll()
    replaying.poll()
    assert (fresh, all_rows) == ([2], [1, 2])


def test_a_broken_sink_is_dropped_aloud_and_the_others_go_on(tmp_path, caplog):
    path, seen, calls = tmp_path / "journal.jsonl", [], []

    def broken(row):
        calls.append(row)
        raise RuntimeError("no screen")

    follower = Follower(path, [broken, seen.append])
    path.write_bytes(b'{"step": 1}\n{"step": 2}\n')
    follower.poll()
    assert (len(calls), len(seen)) == (1, 2)
    assert [record.message for record in caplog.records] == [f"sink dropped sink=function journal={path}"]


def test_sinks_are_closed_at_the_end_after_the_last_row(tmp_path):
    events = []

    class Sink:
        def __call__(self, row):
            events.append(row["event"])

        def close(self):
            events.append("closed")

    path = tmp_path / "journal.jsonl"
    with Follower(path, [Sink()], interval=60), Journal(path) as journal:
        journal.write("step", step=1)
    assert events == ["step", "closed"]
