"""Peak memory of this process and all that descend from it: the driver, Ray's daemons, its workers and its store."""

import os
import threading
from pathlib import Path
from typing import Self

_PROC = Path("/proc")
_SECONDS = 1.0


class PeakMemory:
    """Samples the proportional set size (PSS: shared pages are shared out) once a second; needs Linux."""

    def __init__(self) -> None:
        self.bytes = 0
        """The largest sum seen; 0 where there is no ``/proc``."""
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self.bytes = max(self.bytes, sum(map(_pss, _family(os.getpid()))))
            if self._done.wait(_SECONDS):
                return


def _family(root: int) -> set[int]:
    """A process and its descendants."""
    children: dict[int, list[int]] = {}
    for stat in _PROC.glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has just ended
            continue
        children.setdefault(parent, []).append(int(stat.parent.name))
    family, waiting = {root}, [root]
    while waiting:
        found = children.get(waiting.pop(), [])
        family.update(found)
        waiting += found
    return family


def _pss(process: int) -> int:
    try:
        lines = (_PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:  # it has just ended
        return 0
    return next((int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:")), 0)
