"""What a retry cannot mend: written down once by the rank that meets it, raised by the driver."""

import json
import shutil
import traceback
from pathlib import Path

from optical import artefacts
from optical.errors import DataError, InfrastructureError, NumericalError, OpticalError, UserError

_KINDS = {kind.__name__: kind for kind in (OpticalError, DataError, InfrastructureError, NumericalError, UserError)}


def clear(folder: Path) -> None:
    """Forget what earlier attempts met."""
    _report(folder).unlink(missing_ok=True)
    shutil.rmtree(_crashes(folder), ignore_errors=True)


def is_reported(folder: Path) -> bool:
    """Whether a rank has met something that a retry cannot mend."""
    return _report(folder).exists()


def raise_reported(folder: Path) -> None:
    """Raise what a rank reported, if one did."""
    if is_reported(folder):
        report = json.loads(_report(folder).read_text())
        raise _KINDS[report["kind"]](*report["args"])


def report(folder: Path, rank: int, step: int, error: Exception) -> bool:
    """Report ``error`` if a retry cannot mend it: one of ours, or the same error at the same step a second time.

    The first rank to report is believed: its end is what the others stumble over. Anything else may be the machine's
    fault; its traceback is kept in ``crashes`` and a retry is worth its while.

    Args:
        folder: of the training job.
        rank: which rank met it.
        step: at which step.
        error: what was raised.

    Returns:
        Whether it is of no use to try again.
    """
    if not isinstance(error, OpticalError):
        crash = _crashes(folder) / f"rank-{rank}-step-{step}-{_signature(error)}.txt"
        if not crash.exists():
            crash.parent.mkdir(parents=True, exist_ok=True)
            crash.write_text("".join(traceback.format_exception(error)))
            return False
        what = f"failed twice in the same way ({type(error).__name__}: {error})".replace("\n", " ")
        error = OpticalError(f"rank {rank}, step {step}", what, f"read {crash}, mend the cause and rerun to resume")
    if not is_reported(folder):
        artefacts.write_json(_report(folder), {"kind": type(error).__name__, "args": list(error.parts)})
    return True


def _report(folder: Path) -> Path:
    return folder / "failure.json"


def _crashes(folder: Path) -> Path:
    return folder / "crashes"


def _signature(error: Exception) -> str:
    """Of the kind of error and the lines of code it came through; messages hold addresses and ports."""
    lines = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    return artefacts.fingerprint([type(error).__name__, lines])[:8]
