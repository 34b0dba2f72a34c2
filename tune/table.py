"""The table of a campaign: what became of each of its trainings, in an append-only journal that a rerun reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from optical.errors import DataError
from optical.tracking.journal import Journal, rows
from tune.plan import Result, State

_EVENT = "training"


@dataclass(frozen=True)
class Row:
    """One training that has come to its end.

    Args:
        student: fingerprint of its student.
        run: name of its run's folder.
        state: whether it ended or failed.
        steps: that it took.
        dev: its dev measures by name; empty if it failed.
        reason: why it failed.
        seconds: of the training.
    """

    student: str
    run: str
    state: State
    steps: int
    dev: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0

    def result(self, measure: str) -> Result:
        """What the plan needs to know."""
        return Result("ended", self.dev[measure]) if self.state == "ended" else Result("failed", reason=self.reason)


class Table:
    """The rows of a campaign by the fingerprints of their students.

    Args:
        path: the journal; it is made with its first row. One process writes at a time.

    Raises:
        DataError: a row is damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows: dict[str, Row] = {}
        for written in rows(path) if path.exists() else []:
            if written["event"] == _EVENT:
                try:
                    row = Row(**{name: value for name, value in written.items() if name in Row.__dataclass_fields__})
                except TypeError as error:
                    advice = "delete it: the runs themselves hold the results"
                    raise DataError(path, f"is damaged ({error})", advice) from None
                self._rows[row.student] = row

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, student: str) -> Row | None:
        """What became of a student's training; None if it has not come to its end."""
        return self._rows.get(student)

    def add(self, row: Row) -> None:
        """Append a row, unless it is there already."""
        if self._rows.get(row.student) == row:
            return
        self._rows[row.student] = row
        with Journal(self.path) as journal:
            journal.write(_EVENT, **{name: getattr(row, name) for name in Row.__dataclass_fields__})
