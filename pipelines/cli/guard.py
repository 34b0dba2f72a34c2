"""The guard of every command: each failure becomes one line on standard error and an exit code."""

# This file must also run under a Python that is too old for the rest, so that it can say so.
from __future__ import annotations

import errno
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from optical.errors import InfrastructureError, OpticalError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INTERRUPTED = 130
_OURS = ("optical", "pipelines", "tune")
_ROOT = Path(__file__).resolve().parents[2]
_SET_UP = "run `make setup` once, then `source .venv/bin/activate` in each new shell"
_RESUMES = "the same command goes on from what is finished"
# Failures of the machine, not of this code: a full or broken disk, or a wrong path.
_FULL_OR_BROKEN = ("ENOSPC", "EDQUOT", "EROFS", "EIO", "EFBIG", "EMFILE", "ENFILE", "ENOMEM")
_WRONG_PATH = ("EACCES", "EPERM", "ENOTDIR", "EISDIR", "ENAMETOOLONG", "ELOOP")


def program(main: Callable[[], int]) -> None:
    """Run ``main`` as the program of this process: a second Ctrl-C ends it at once, and so does one during its exit."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this may be the system's Python, not the one of .venv
        version = ".".join(map(str, sys.version_info[:2]))
        sys.stderr.write(f"UserError: {sys.executable}: Python {version} is too old; {_SET_UP}\n")
        sys.exit(UserError.exit_code)
    signal.signal(signal.SIGINT, _first_interrupt)
    code = main()
    signal.signal(signal.SIGINT, _end_at_once)
    sys.exit(code)


def guarded(work: Callable[[list[str]], int], arguments: list[str] | None) -> int:
    """Run ``work`` with the arguments of a command line and return the exit code (see ``optical.errors``).

    Args:
        work: parses the arguments, runs the command, and returns the exit code.
        arguments: None takes those of the process; ``--verbose`` among them logs more and shows tracebacks.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    verbose = "--verbose" in arguments
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        return work(arguments)
    except KeyboardInterrupt:
        return _interrupted()
    except Exception as error:
        if signal.getsignal(signal.SIGINT) is _end_at_once:
            # A library that Ctrl-C interrupts may raise any exception.
            return _interrupted()
        if verbose:
            traceback.print_exc()
        known = _known(error)
        sys.stderr.write(f"{type(known).__name__}: {known}\n" if known else f"{_bug(error)}\n")
        return known.exit_code if known else 1


def _known(error: Exception) -> OpticalError | None:
    """The error of this project behind ``error``, or one for a failure of machine or installation; None for a bug."""
    for cause in _causes(error):
        # Ray wraps an error of ours in a class of its own that inherits from it, and keeps the error in ``cause``.
        if isinstance(cause, OpticalError) and type(cause).__module__ == OpticalError.__module__:
            return cause
        if isinstance(cause, ModuleNotFoundError) and cause.name and cause.name.split(".")[0] not in _OURS:
            return UserError(sys.executable, f"this Python has no module {cause.name!r}", _SET_UP)
        if isinstance(cause, OSError) and cause.errno:
            name, where = errno.errorcode.get(cause.errno), cause.filename or "the disk"
            if name in _FULL_OR_BROKEN:
                advice = f"make room, or write elsewhere (--runs-dir); {_RESUMES}"
                return InfrastructureError(where, os.strerror(cause.errno).lower(), advice)
            if name in _WRONG_PATH:
                return UserError(where, os.strerror(cause.errno).lower(), "give another path, or change its rights")
    return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    # Ray keeps the exception of a worker in ``cause``.
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = getattr(error, "cause", None) or error.__cause__


def _bug(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    own = next((frame for frame in reversed(frames) if Path(frame.filename).is_relative_to(_ROOT)), frames[-1])
    words = " ".join(f"{type(error).__name__}: {error}".split())[:300]
    place = f"{os.path.relpath(own.filename, _ROOT)}, line {own.lineno}"
    return f"bug: {words} ({place}); this is a bug, the same command with --verbose shows the traceback to report"


def _interrupted() -> int:
    sys.stderr.write(f"interrupted; {_RESUMES}\n")
    return INTERRUPTED


def _first_interrupt(number: int, frame: object) -> None:
    signal.signal(signal.SIGINT, _end_at_once)
    raise KeyboardInterrupt


def _end_at_once(number: int, frame: object) -> None:
    # Locks end with the process, artefacts without a manifest are made again, and a local Ray ends with its driver.
    os._exit(INTERRUPTED)
