"""The work of a study: its cells one after the other, each a run of its own, which the same command resumes."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import mean

from optical.artefacts import Fingerprint, write_json
from optical.errors import DataError, NumericalError, require
from optical.recipe import Recipe
from optical.tracking.journal import rows
from optical.tracking.progress import LineWriter, duration
from pipelines.checks.faults import check_recipe
from pipelines.environment import Settings
from pipelines.graph.student import STUDENT, student_job
from pipelines.graph.workspace import Workspace
from pipelines.session import Session
from pipelines.studies.early import check_page
from pipelines.studies.kinds.base import Cell, Findings, Outcome, StudyConfig
from pipelines.verbs.evaluate import evaluate
from pipelines.verbs.train import last_dev

STATE = "study.json"


@dataclass
class Study:
    """A study at work on its folder.

    Args:
        name: of the study.
        config: its size.
        recipe: what its cells are variants of.
        settings: of every run; ``run_name`` names the folder of the study.
    """

    name: str
    config: StudyConfig
    recipe: Recipe
    settings: Settings
    outcomes: dict[Path, Outcome] = field(default_factory=dict)
    """What became of the cells so far, by folder of the run; a cell that is tested later keeps its place."""

    def __post_init__(self) -> None:
        made_from = [self.name, self.config.version, asdict(self.config)]
        self.fingerprint = Fingerprint.of("study", 1, *made_from, Workspace(self.recipe, self.settings).fingerprint)
        name = self.settings.run_name or f"study-{self.name}-{self.fingerprint[:12]}"
        self.folder = self.settings.runs_dir / name
        self.settings = replace(self.settings, run_name=None)

    def run(self) -> Findings:
        """Train and test every cell that the study's plan asks for, and return what the plan has found.

        A cell whose training fails for a reason of its own is kept with that reason, and the study goes on.

        Raises:
            OpticalError: the folder is no study's or another's, a cell or the page is impossible, data or the machine
                fail, or every training fails.
        """
        failures = self._failures()
        plan = self.config.plan(self.recipe)
        cells = next(plan)
        for first, trained in _systems(cells):
            check_page(first.recipe, trained, self.config.resamples)
        while True:
            for cell in cells:
                check_recipe(self._workspace(cell))
            outcomes = self._stage(cells, failures)
            try:
                cells = plan.send(outcomes)
            except StopIteration as end:
                return end.value

    @property
    def seconds(self) -> float:
        """Seconds of real work of all cells, as far as this folder of runs has done it; what they share counts once."""
        return sum(sum(outcome.seconds.values()) for outcome in self.outcomes.values())

    def _workspace(self, cell: Cell) -> Workspace:
        return Workspace(cell.recipe, self.settings)

    def _failures(self) -> dict[str, str]:
        """Why trainings of this study have failed before, by the name of the run.

        Raises:
            UserError: the folder holds something else than this study.
            DataError: what it holds is damaged.
        """
        if not self.folder.is_dir() or not any(self.folder.iterdir()):
            return {}
        path, other = self.folder / STATE, "choose another name"
        require(path.exists(), "--run-name", f"{self.folder} is the folder of something else than a study", other)
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            known, cells = state["fingerprint"], {cell["run"]: cell["failure"] for cell in state["cells"]}
        except (ValueError, LookupError, TypeError) as error:
            advice = f"delete {self.folder}: the runs themselves hold the results"
            raise DataError(path, f"is damaged ({error!r})", advice) from None
        require(known == self.fingerprint, "--run-name", f"{self.folder} holds another study", other)
        return {run: why for run, why in cells.items() if why}

    def _stage(self, cells: Sequence[Cell], failures: Mapping[str, str]) -> list[Outcome]:
        line, found = LineWriter(), list[Outcome]()
        worked: list[float] = []  # seconds of each cell that was not done before
        for number, cell in enumerate(cells):
            begun, before = time.monotonic(), Session(self._workspace(cell)).seconds
            left = f"  ETA {duration(mean(worked) * (len(cells) - number))}" if worked else ""
            doing = "test" if cell.tested else "train"
            line.show(f"study {self.name}  {doing} {number + 1}/{len(cells)}  {_in_words(cell)}{left}", final=True)
            outcome = self._outcome(cell, failures)
            found.append(outcome)
            if outcome.seconds != before:
                worked.append(time.monotonic() - begun)
            self.outcomes[outcome.run_dir] = outcome
            self._keep()
        return found

    def _outcome(self, cell: Cell, failures: Mapping[str, str]) -> Outcome:
        workspace = self._workspace(cell)
        if why := failures.get(workspace.run_dir.name):
            told = f"failed before, and would fail so again: {why}; to try it, delete {self.folder}"
            LineWriter().show(f"study {self.name}  {told}", final=True)
            return Outcome(cell, workspace.run_dir, Session(workspace).seconds, {}, why)
        with Session(workspace) as session:
            try:
                session.make(STUDENT)
            except NumericalError as error:
                LineWriter().show(f"study {self.name}  failed: {error}", final=True)
                return Outcome(cell, workspace.run_dir, session.seconds, {}, str(error))
            if cell.tested:
                evaluate(session)
            dev = last_dev(rows(student_job(workspace, workspace.folder(STUDENT)).journal))
            return Outcome(cell, workspace.run_dir, session.seconds, dev)

    def _keep(self) -> None:
        """Write what became of the cells so far. A rerun reads the failures only, and all else from the runs."""
        self.folder.mkdir(parents=True, exist_ok=True)
        cells = [
            {
                **({"condition": found.cell.condition} if found.cell.condition else {}),
                "system": found.cell.system,
                "learning_rate": found.cell.recipe.train.learning_rate,
                "seed": found.cell.recipe.train.seed,
                "run": run.name,
                "tested": found.cell.tested,
                "dev": dict(found.dev),
                "failure": found.failure,
                "seconds": dict(found.seconds),
            }
            for run, found in self.outcomes.items()
        ]
        write_json(self.folder / STATE, {"study": self.name, "fingerprint": self.fingerprint, "cells": cells})


def _systems(cells: Sequence[Cell]) -> Iterator[tuple[Cell, int]]:
    """A cell of each condition, and how many systems the study trains under it."""
    for condition in dict.fromkeys(cell.condition for cell in cells):
        own = [cell for cell in cells if cell.condition == condition]
        yield own[0], len({cell.system for cell in own})


def _in_words(cell: Cell) -> str:
    train = cell.recipe.train
    condition = f"{cell.condition}  " if cell.condition else ""
    return f"{condition}{cell.system}  rate {train.learning_rate:g}  seed {train.seed}"
