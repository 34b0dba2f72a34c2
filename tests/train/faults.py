"""Faults for the hook of a training loop: what happens, where, and how often it has happened."""

import errno
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Fault:
    """Does ``action`` at one place, ``times`` times at most over all attempts; ``log`` has a line for each time.

    ``step`` is the step it waits for, or ``None`` for every one.
    """

    action: Callable[[], None]
    place: str
    step: int | None
    log: Path
    rank: int = 0
    times: int = 1

    def __call__(self, rank: int, step: int, place: str) -> None:
        here = place == self.place and rank == self.rank and self.step in (step, None)
        if here and self.count < self.times:
            with self.log.open("a") as log:
                log.write(f"{os.getpid()}\n")
            self.action()

    @property
    def count(self) -> int:
        return len(self.log.read_text().splitlines()) if self.log.exists() else 0


class Interrupted(Exception):
    """What a lost machine looks like from inside."""


def interrupt() -> None:
    raise Interrupted


def mistake() -> None:
    raise ZeroDivisionError("a mistake of ours")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    threading.Event().wait(600)


def fill_disk() -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
