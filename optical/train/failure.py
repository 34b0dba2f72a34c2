"""Failures that a retry cannot fix: the first rank that meets one writes a report, and the driver raises it."""

import json
import shutil
import traceback
from pathlib import Path

from optical import artefacts
from optical.errors import DataError, InfrastructureError, NumericalError, OpticalError, UserError

_KINDS = {kind.__name__: kind for kind in (OpticalError, DataError, InfrastructureError, NumericalError, UserError)}


def clear(folder: Path) -> None:
    """Delete the reports of earlier attempts."""
    _report(folder).unlink(missing_ok=True)
    shutil.rmtree(_crashes(folder), ignore_errors=True)


def is_reported(folder: Path) -> bool:
    """Whether a rank has reported a failure that a retry cannot fix."""
    return _report(folder).exists()


def reported(folder: Path) -> OpticalError | None:
    """The failure that a rank reported, if any."""
    if not is_reported(folder):
        return None
    report = json.loads(_report(folder).read_text())
    return _KINDS[report["kind"]](*report["args"])


def raise_reported(folder: Path) -> None:
    """Raise the failure that a rank reported, if any."""
    if error := reported(folder):
        raise error


def report(folder: Path, rank: int, step: int, error: Exception) -> bool:
    """Report ``error`` if a retry cannot fix it: an ``OpticalError``, or the same error at the same step a second time.

    Only the first report is kept, because the failure of one rank makes the others fail. Any other error may be caused
    by the machine: its traceback is saved in ``crashes``, and a retry may succeed.

    Args:
        folder: of the training job.
        rank: the rank that raised it.
        step: the step at which it was raised.
        error: the exception.

    Returns:
        Whether the failure is deterministic, so that a retry is useless.
    """
    if not isinstance(error, OpticalError):
        crash = _crashes(folder) / f"rank-{rank}-step-{step}-{_signature(error)}.txt"
        if not crash.exists():
            crash.parent.mkdir(parents=True, exist_ok=True)
            crash.write_text("".join(traceback.format_exception(error)))
            return False
        what = f"failed twice in the same way ({type(error).__name__}: {error})".replace("\n", " ")
        error = OpticalError(f"rank {rank}, step {step}", what, f"read {crash}, fix the cause and rerun to resume")
    if not is_reported(folder):
        artefacts.write_json(_report(folder), {"kind": type(error).__name__, "args": list(error.parts)})
    return True


def _report(folder: Path) -> Path:
    return folder / "failure.json"


def _crashes(folder: Path) -> Path:
    return folder / "crashes"


def _signature(error: Exception) -> str:
    """Hash of the type of an error and of its lines of code, but not of its message, which may hold addresses."""
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return artefacts.fingerprint([type(error).__name__, lines])[:8]
