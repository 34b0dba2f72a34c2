"""Progress on standard error: one line that is rewritten on a terminal, a plain line now and then elsewhere.

This is the only place in the library that writes to stderr. Training is shown by following its journal (``Follower``
with a ``ProgressLine``); every other long verb counts with ``Progress``.
"""

import shutil
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Self, TextIO, TypeVar

from optical.tracking.journal import NON_FINITE

_Sized = TypeVar("_Sized", bound=Sized)

PLAIN_INTERVAL = 10.0
TERMINAL_INTERVAL = 0.1
_WINDOW = 50
_NUMBERS = (
    ("loss", "loss", ".3g"),
    ("plan_entropy", "plan entropy", ".2g"),
    ("marginal_error", "marginal error", ".0e"),
    ("dev_spearman", "dev Spearman", ".3f"),
)


class LineWriter:
    """Writes lines of progress, at most one in each interval.

    Args:
        stream: where to write; standard error by default.
        interval: seconds between plain lines where the stream is not a terminal.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        interval: float = PLAIN_INTERVAL,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stream = stream or sys.stderr
        self.terminal = self._stream.isatty()
        self._interval = TERMINAL_INTERVAL if self.terminal else interval
        self.clock = clock
        self._written_at: float | None = None
        self._shown = ""

    def show(self, line: str, final: bool = False) -> bool:
        """Write ``line`` if the interval is over; a final line is always written, but never twice.

        Returns:
            Whether the line is now on the stream.
        """
        now = self.clock()
        due = self._written_at is None or now - self._written_at >= self._interval
        if self.terminal:
            if due or final:
                line = line[: shutil.get_terminal_size().columns - 1]
                self._stream.write(f"\r{line}\x1b[K" + ("\n" if final else ""))
        elif due or (final and line != self._shown):
            self._stream.write(line + "\n")
        if due or final:
            self._stream.flush()
            self._written_at, self._shown = now, line
        return self._shown == line


class Progress:
    """Counts a verb's work and shows it: ``index  1200/3400 passages  35%  41.0 passages/s  ETA 53s``.

    Args:
        verb: the first word of the line.
        total: the amount of work in units; None if it is unknown.
        unit: what is counted, in the plural.
        writer: where the line goes; standard error by default.
    """

    def __init__(self, verb: str, total: int | None, unit: str, writer: LineWriter | None = None) -> None:
        self._verb, self._total, self._unit = verb, total, unit
        self._writer = writer or LineWriter()
        self._start = self._writer.clock()
        self._done = 0
        self._shown: int | None = None

    def advance(self, count: int = 1) -> None:
        """Count ``count`` more units as done."""
        self._done += count
        if self._writer.show(self._line()):
            self._shown = self._done

    def counting(self, parts: Iterable[_Sized]) -> Iterator[_Sized]:
        """Pass parts of the work on, and count the length of each."""
        for part in parts:
            self.advance(len(part))
            yield part

    def close(self) -> None:
        """Write the last line, unless a plain line with the same count was just written."""
        if self._writer.terminal or self._shown != self._done:
            self._writer.show(self._line(), final=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> str:
        seconds, done, total = self._writer.clock() - self._start, self._done, self._total
        rate = done / seconds if seconds > 0 else 0.0
        parts = [self._verb, f"{done} {self._unit}" if total is None else f"{done}/{total} {self._unit}"]
        if total is not None:
            parts.append(percent(done, total))
        if rate > 0:
            parts.append(f"{quantity(rate)} {self._unit}/s")
        if rate > 0 and total is not None and done < total:
            parts.append(f"ETA {duration((total - done) / rate)}")
        return "  ".join(parts)


class ProgressLine:
    """A sink for a follower: it shows the ``step`` rows of a training journal as one line.

    Speed and ETA are means over the last 50 steps.

    Args:
        writer: where the line goes; standard error by default.
    """

    def __init__(self, writer: LineWriter | None = None) -> None:
        self._writer = writer or LineWriter()
        self._recent: deque[dict] = deque(maxlen=_WINDOW)
        self._dev: dict[str, float] = {}
        self._shown = ""

    def __call__(self, row: dict) -> None:
        """Take one row. A ``dev`` row is shown from the next step on; a ``warning`` gets a line of its own."""
        if row.get("event") == "warning":
            self._writer.show(f"train {row.get('stage', '')}  warning: {row['what']}", final=True)
        if row.get("event") == "dev":
            self._dev = {name: row[name] for name in ("dev_mrr", "dev_spearman") if name in row}
            if self._recent and self._recent[-1].get("stage") == row.get("stage"):
                self._shown = self._render(self._recent[-1])
        if row.get("event") != "step":
            return
        if self._recent and self._recent[-1].get("stage") != row.get("stage"):
            self.close()
            self._recent.clear()
            self._dev = {}
        self._recent.append(row)
        self._shown = self._render(row)
        self._writer.show(self._shown)

    def close(self) -> None:
        """Write the last line."""
        if self._shown:
            self._writer.show(self._shown, final=True)
            self._shown = ""

    def _render(self, row: dict) -> str:
        step, steps, seconds = row["step"], row.get("steps"), self._sum("seconds")
        parts = [f"train {row.get('stage', '')}".strip(), f"step {step}/{steps}" if steps else f"step {step}"]
        if steps:
            parts.append(percent(step, steps))
        if seconds > 0:
            parts += [f"{quantity(self._sum(unit) / seconds)} {unit}/s" for unit in ("pairs", "tokens")]
        parts += _numbers(self._dev | row)
        if steps and step < steps and seconds > 0:
            parts.append(f"ETA {duration((steps - step) * seconds / len(self._recent))}")
        return "  ".join(parts)

    def _sum(self, name: str) -> float:
        return sum(row.get(name) or 0.0 for row in self._recent)


def percent(done: int, total: int) -> str:
    """Share done, cut to whole percents so that 100% means all of it.

    >>> percent(1200, 3400)
    '35%'
    """
    return f"{100 * done // total}%" if total else "100%"


def quantity(value: float) -> str:
    """A speed with about three digits.

    >>> quantity(31.24), quantity(1940.0), quantity(2.5e6)
    ('31.2', '1.9k', '2.5M')
    """
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f}{letter}"
    return f"{value:.1f}"


def duration(seconds: float) -> str:
    """A time in seconds, minutes or hours.

    >>> duration(53.2), duration(190), duration(7500)
    ('53s', '3m10s', '2h05m')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}m"


def _numbers(row: dict) -> list[str]:
    parts = []
    for name, label, form in _NUMBERS:
        if name in row.get(NON_FINITE, {}):
            parts.append(f"{label} {row[NON_FINITE][name]}")
        elif row.get(name) is not None:
            parts.append(f"{label} {row[name]:{form}}".replace("e-0", "e-").replace("e+0", "e+"))
    return parts
