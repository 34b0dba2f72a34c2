"""The commands: what can be given to a verb besides its recipe, as dataclasses whose fields are flags."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from optical.recipe import Recipe
from pipelines.environment import Settings

ExportFormat = Literal["transformers", "colbert"]
"""What ``export`` writes a folder for."""


@dataclass(frozen=True, kw_only=True)
class MachineCommand:
    """What the command prints."""

    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    json: bool = False
    """End with one JSON line on standard output instead of a table."""
    verbose: bool = False
    """Log the decisions of the library, and show tracebacks."""


@dataclass(frozen=True, kw_only=True)
class ListCommand(MachineCommand):
    """What the command prints."""

    language: str | None = None
    """Only the data sets of this language."""


@dataclass(frozen=True, kw_only=True)
class CompareCommand(MachineCommand):
    """What the command compares, prints and writes."""

    runs: tuple[str, ...] = ()
    """Folders of finished runs over one test collection, as words before the first flag. ``NAME=FOLDER`` gives the
    systems of a run a name; FOLDER may then be a pattern in quotes. Runs that differ in seeds alone are one system."""
    reference: str | None = None
    """The system that the others are compared with; by default the strongest of those that no run has made, such as
    ``zero_shot`` and pretrained encoders."""
    systems: tuple[str, ...] = ()
    """Only these systems, by their names in the runs, such as ``student zero_shot``; by default all."""
    out: Path | None = None
    """Folder of page, LaTeX table, picture and JSON; by default ``<runs-dir>/compare-<fingerprint>``."""
    resamples: int = 10_000
    """Bootstrap resamples and sign flips."""
    seed: int = 0
    """Seed of the bootstrap and the randomisation test."""


@dataclass(frozen=True, kw_only=True)
class Command(MachineCommand):
    """What the command prints."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]

    @property
    def options(self) -> dict[str, Any]:
        """What the verb takes besides its session."""
        return {}


@dataclass(frozen=True, kw_only=True)
class ExportCommand(Command):
    """What the command prints and writes."""

    format: ExportFormat = "transformers"
    """What the folder is for: ``transformers``, which sentence-transformers and PyLate read too; or ``colbert``, which
    ColBERT reads besides. Not every student has a place in ColBERT's format, and one that has none is refused."""

    @property
    def options(self) -> dict[str, Any]:
        """What the verb takes besides its session."""
        return {"format": self.format}
