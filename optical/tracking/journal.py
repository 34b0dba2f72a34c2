"""The journal: one JSON object per line, appended during a run. It is the only record of a training.

The progress line, MLflow and the report read it. A resumed run repeats the steps after its checkpoint; ``rows`` then
keeps the last row of each step, so that no step counts twice.
"""

import json
import math
import numbers
import os
import time
from pathlib import Path
from typing import Self

from optical.errors import DataError, InfrastructureError

NON_FINITE = "non_finite"


class Journal:
    """An append-only JSON-lines file with one writer.

    A line that a crash left incomplete is removed when the file is opened again.

    Args:
        path: the file; a missing folder is created.

    Raises:
        InfrastructureError: the file cannot be opened or repaired.
    """

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.exists():
                _remove_incomplete_line(self.path)
            self._stream = self.path.open("ab")
        except OSError as error:
            raise InfrastructureError(
                self.path, f"the journal cannot be opened ({error.strerror})", "check the folder's rights"
            ) from error

    def write(self, event: str, **fields: object) -> None:
        """Append one row and flush it.

        Not-a-number and infinity become null; ``non_finite`` in the row then holds their values by name.

        Args:
            event: the kind of row, such as ``"step"``.
            **fields: JSON-serialisable values.

        Raises:
            InfrastructureError: the disk is full, or cannot be reached.
        """
        non_finite: dict[str, str] = {}
        row = {"event": event, "time": time.time()} | {k: _finite(v, k, non_finite) for k, v in fields.items()}
        if non_finite:
            row[NON_FINITE] = non_finite
        line = json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n"
        try:
            self._stream.write(line.encode())
            self._stream.flush()
        except OSError as error:
            raise InfrastructureError(
                self.path, f"a row cannot be written ({error.strerror})", "free the disk and run the same command again"
            ) from error

    def sync(self) -> None:
        """Write all rows to the disk (fsync); call it with each checkpoint."""
        self._stream.flush()
        os.fsync(self._stream.fileno())

    def close(self) -> None:
        """Sync and close the file; a closed file stays closed."""
        if not self._stream.closed:
            self.sync()
            self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_journal(path: Path) -> list[dict]:
    """Every row of a journal in the order of the file; an incomplete last line is left out.

    Raises:
        DataError: no such file, or a damaged line before the last.
    """
    path = Path(path)
    try:
        lines = path.read_bytes().splitlines(keepends=True)
    except FileNotFoundError:
        raise DataError(path, "no journal here", "give the folder of a run that has started") from None
    found = []
    for number, line in enumerate(lines, start=1):
        row = parse_row(line)
        if row is not None:
            found.append(row)
        elif number < len(lines):
            raise DataError(path, f"line {number} is not a JSON object", "restore the file or delete that line")
    return found


def rows(path: Path) -> list[dict]:
    """The rows that count: the last of each (event, stage, step), and all rows without a step.

    Raises:
        DataError: as in ``read_journal``.
    """
    written = read_journal(path)
    last = {_identity(row): position for position, row in enumerate(written) if "step" in row}
    return [row for position, row in enumerate(written) if "step" not in row or last[_identity(row)] == position]


def parse_row(line: bytes) -> dict | None:
    """The row in one line of a journal; None for a line that is incomplete or damaged."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _identity(row: dict) -> tuple:
    # Teacher and student share one journal, so step 3 alone names two different rows.
    return row.get("event"), row.get("stage"), row["step"]


def _finite(value: object, name: str, non_finite: dict[str, str]) -> object:
    if isinstance(value, dict):
        return {key: _finite(inner, f"{name}.{key}", non_finite) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(inner, f"{name}.{position}", non_finite) for position, inner in enumerate(value)]
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if math.isfinite(value):
        return float(value)
    non_finite[name] = str(float(value))
    return None


def _remove_incomplete_line(path: Path) -> None:
    content = path.read_bytes()
    lines = content.splitlines(keepends=True)
    if lines and parse_row(lines[-1]) is None:
        os.truncate(path, len(content) - len(lines[-1]))
