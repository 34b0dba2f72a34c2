"""Progress lines: the right numbers, at the right moments, on a terminal and off it."""

import io

from optical.tracking.progress import LineWriter, Progress, ProgressLine, duration, percent, quantity


class Clock:
    """A clock that moves only when told."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """A text stream that says it is a terminal."""

    def isatty(self):
        return True


def _step(step, **fields):
    return {"event": "step", "stage": "student", "step": step, "steps": 480, "seconds": 2.0, "pairs": 64} | fields


def test_progress_says_count_share_speed_and_time_left():
    clock, stream = Clock(), io.StringIO()
    progress = Progress("index", 3400, "passages", LineWriter(stream, interval=0, clock=clock))
    clock.now = 30.0
    progress.advance(1200)
    assert stream.getvalue() == "index  1200/3400 passages  35%  40.0 passages/s  ETA 55s\n"


def test_progress_without_a_total_only_counts():
    clock, stream = Clock(), io.StringIO()
    progress = Progress("prepare", None, "pairs", LineWriter(stream, interval=0, clock=clock))
    clock.now = 2.0
    progress.advance(10)
    assert stream.getvalue() == "prepare  10 pairs  5.0 pairs/s\n"


def test_plain_lines_come_at_most_every_interval_and_the_last_always():
    clock, stream = Clock(), io.StringIO()
    with Progress("index", 30, "passages", LineWriter(stream, interval=10, clock=clock)) as progress:
        for second in range(30):
            clock.now = float(second)
            progress.advance()
    lines = stream.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/30", "11/30", "21/30", "30/30"]
    assert "ETA" not in lines[-1]


def test_the_last_line_is_not_written_twice():
    clock, stream = Clock(), io.StringIO()
    with Progress("index", 1, "passages", LineWriter(stream, clock=clock)) as progress:
        progress.advance()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_terminal_gets_one_rewritten_line_no_wider_than_it(monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    clock, stream = Clock(), Terminal()
    with Progress("index", 2, "passages of a collection", LineWriter(stream, clock=clock)) as progress:
        for second in (1.0, 2.0):
            clock.now = second
            progress.advance()
    assert stream.getvalue().count("\n") == 1
    assert stream.getvalue().endswith("\x1b[K\n")
    assert all(len(part) <= 19 + len("\x1b[K\n") for part in stream.getvalue().split("\r"))


def test_a_training_row_becomes_the_documented_line():
    stream = io.StringIO()
    sink = ProgressLine(LineWriter(stream, clock=Clock()))
    sink(_step(120, tokens=4000, loss=0.4123, plan_entropy=3.14, marginal_error=4e-4))
    assert stream.getvalue() == (
        "train student  step 120/480  25%  32.0 pairs/s  2.0k tokens/s  loss 0.412  plan entropy 3.1"
        "  marginal error 4e-4  ETA 12m00s\n"
    )


def test_speed_is_a_mean_over_recent_steps():
    stream = io.StringIO()
    sink = ProgressLine(LineWriter(stream, interval=0, clock=Clock()))
    sink(_step(1, seconds=1.0, pairs=10))
    sink(_step(2, seconds=3.0, pairs=10))
    assert "5.0 pairs/s" in stream.getvalue().splitlines()[-1]
    assert stream.getvalue().splitlines()[-1].endswith("ETA 15m56s")


def test_another_stage_starts_afresh_after_the_last_line_of_the_one_before():
    stream = io.StringIO()
    sink = ProgressLine(LineWriter(stream, interval=10, clock=Clock()))
    sink(_step(1, stage="teacher", pairs=2))
    sink(_step(480, stage="teacher", pairs=2))
    sink(_step(1, pairs=64))
    sink.close()
    lines = stream.getvalue().splitlines()
    assert "train teacher  step 480/480  100%" in lines[1]
    assert "train student  step 1/480  0%  32.0 pairs/s" in lines[2]


def test_a_non_finite_loss_is_shown_and_other_events_are_not():
    stream = io.StringIO()
    sink = ProgressLine(LineWriter(stream, clock=Clock()))
    sink({"event": "checkpoint", "step": 3})
    sink(_step(3, loss=None, non_finite={"loss": "nan"}))
    assert "loss nan" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_numbers_read_as_a_person_says_them():
    assert [quantity(value) for value in (0.0, 31.24, 1940.0, 2.5e6)] == ["0.0", "31.2", "1.9k", "2.5M"]
    assert [duration(seconds) for seconds in (0.4, 59.6, 190, 3599.7)] == ["0s", "1m00s", "3m10s", "1h00m"]
    assert [percent(done, 480) for done in (0, 120, 479, 480)] == ["0%", "25%", "99%", "100%"]


def test_a_warning_stands_on_a_line_of_its_own():
    stream = io.StringIO()
    line = ProgressLine(LineWriter(stream, interval=3600, clock=Clock()))
    line({"event": "warning", "stage": "student", "what": "step-200 is damaged, going back to step-100"})
    assert stream.getvalue() == "train student  warning: step-200 is damaged, going back to step-100\n"


def test_the_last_line_has_the_dev_measures_after_the_last_step():
    stream = io.StringIO()
    line = ProgressLine(LineWriter(stream, interval=3600, clock=Clock()))
    line({"event": "dev", "stage": "student", "step": 0, "dev_spearman": 0.25})
    line(_step(1))
    line(_step(480))
    line({"event": "dev", "stage": "student", "step": 480, "dev_spearman": 0.75})
    line.close()
    assert "step 480/480  100%" in stream.getvalue().splitlines()[-1]
    assert "dev Spearman 0.750" in stream.getvalue().splitlines()[-1]
