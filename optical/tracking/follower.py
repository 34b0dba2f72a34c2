"""The follower: a thread of the driver that reads a journal while workers write it."""

import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from optical.tracking.journal import parse_row

logger = logging.getLogger(__name__)

Sink = Callable[[dict], None]


class Follower:
    """Passes each new row of a journal to sinks, in order, until it is stopped; use it as a context manager.

    A sink that raises is dropped with one warning, because an observer must never stop a run. If a sink has a method
    ``close``, it is called at the end.

    Args:
        path: the journal, which need not exist yet.
        sinks: functions that are called with each row.
        interval: seconds between two reads of the file.
        from_start: also pass the rows that were there before; by default a resumed run shows only new rows.
    """

    def __init__(self, path: Path, sinks: Sequence[Sink], interval: float = 0.5, from_start: bool = False) -> None:
        self._path = Path(path)
        self._sinks = list(sinks)
        self._all_sinks = tuple(sinks)
        self._interval = interval
        self._offset = 0 if from_start else _end_of_rows(self._path)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal-follower", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Pass the remaining rows, then close the sinks."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self.poll()
        for sink in self._all_sinks:
            if hasattr(sink, "close"):
                self._guard(sink, sink.close)

    def poll(self) -> int:
        """Pass the rows that are complete now; returns their number."""
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._offset)
                fresh = stream.read()
        except OSError:
            return 0
        complete = fresh[: fresh.rfind(b"\n") + 1]
        self._offset += len(complete)
        found = [row for line in complete.splitlines(keepends=True) if (row := parse_row(line)) is not None]
        for row in found:
            for sink in tuple(self._sinks):
                self._guard(sink, sink, row)
        return len(found)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self.poll()

    def _guard(self, sink: Sink, action: Callable[..., None], *arguments: dict) -> None:
        try:
            action(*arguments)
        except Exception:  # the run goes on whatever a sink raises
            logger.warning("sink dropped sink=%s journal=%s", type(sink).__name__, self._path, exc_info=True)
            if sink in self._sinks:
                self._sinks.remove(sink)


def _end_of_rows(path: Path) -> int:
    try:
        return path.read_bytes().rfind(b"\n") + 1
    except OSError:
        return 0
