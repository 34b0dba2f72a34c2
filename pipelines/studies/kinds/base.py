"""What every study shares: its cells, what comes of them, and the interface of its configuration."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from optical.errors import require
from optical.recipe import Recipe
from optical.report.blocks import Block
from pipelines.cli.commands import Command


@dataclass(frozen=True)
class Cell:
    """One training of a study, which is an ordinary run.

    Args:
        system: its name in tables; cells of one system differ in their seed alone.
        recipe: of the run.
        tested: whether the test collection is searched with the student.
        condition: under which of the study's conditions; empty in a study without conditions.
    """

    system: str
    recipe: Recipe
    tested: bool = False
    condition: str = ""


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Args:
        cell: the cell.
        run_dir: folder of its run.
        seconds: of real work by verb, over all sessions of the run.
        dev: the dev measures of the trained student; empty where the training failed.
        failure: why it failed; empty where it did not.
    """

    cell: Cell
    run_dir: Path
    seconds: Mapping[str, float]
    dev: Mapping[str, float]
    failure: str = ""


@dataclass(frozen=True)
class Comparison:
    """What one page compares.

    Args:
        recipe: what the cells are variants of.
        runs: by system.
        blocks: what else the page shows.
        condition: of all of them; empty in a study without conditions.
    """

    recipe: Recipe
    runs: Mapping[str, Sequence[Path]]
    blocks: Sequence[Block]
    condition: str = ""


@dataclass(frozen=True)
class Findings:
    """What a study has found: one comparison for each of its conditions."""

    comparisons: Sequence[Comparison]


Plan = Generator[Sequence[Cell], Sequence[Outcome], Findings]
"""The cells of a study, stage by stage. A plan receives what became of a stage and then says the next one. It depends
on nothing else, so the same study on finished runs takes the same way again."""


@dataclass(frozen=True, kw_only=True)
class StudyConfig:
    """The size of a study."""

    version: ClassVar[int] = 2
    """Raise it when the same settings lead to other cells."""
    question: ClassVar[str]
    """What the study asks, as the sentence of its help."""

    resamples: int = 100_000
    """Bootstrap resamples and sign flips of the page; no run of the study depends on them."""

    def __post_init__(self) -> None:
        require(self.resamples > 0, "resamples", f"is {self.resamples}", "set at least 1")

    def plan(self, recipe: Recipe) -> Plan:
        """The cells that answer the question with variants of a recipe.

        Raises:
            UserError: the recipe cannot be varied so.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class StudyCommand(Command):
    """What the command prints. The command of a study has its configuration besides."""

    study: StudyConfig
