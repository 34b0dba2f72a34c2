"""compare: finished runs beside each other, seeds averaged on each topic, every pair of systems tested."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import fingerprint, write_json
from optical.errors import UserError, require, suggest
from optical.evaluation.replicates import compare_replicates
from optical.report.blocks import Block, Table
from optical.report.replicates import ReplicatesContent, write_comparison
from pipelines.cli.commands import CompareCommand
from pipelines.finished import Finished
from pipelines.groups import Group, differing, open_groups, short_names
from pipelines.measured import MeasuredSystem, check_alike, measured_systems

VERSION = 1
"""Raise it when the same rankings get another page."""


@dataclass(frozen=True)
class Compared:
    """A comparison, the runs that each system comes from, and its page."""

    content: ReplicatesContent
    origins: dict[str, list[str]]
    page: Path

    def as_dict(self) -> dict[str, object]:
        """The content of ``comparison.json``, and the ``--json`` line."""
        content = self.content
        return {
            **content.found.as_dict(),
            "collection": content.collection,
            "fingerprint": content.fingerprint,
            "measure": content.measure,
            "means": {name: dict(means) for name, means in content.means.items()},
            "one_training": list(content.unreplicated),
            "reference_chosen_as_strongest": content.chosen,
            "resamples": content.resamples,
            "runs": self.origins,
            "page": str(self.page),
        }


def compare(command: CompareCommand) -> Compared:
    """Compare the runs of a command, and write the page, the LaTeX table, the picture and ``comparison.json``.

    Raises:
        UserError: fewer than two systems, runs that are unfinished or cannot stand in one table, or unknown names.
        DataError: a folder that is no run, or a damaged one.
    """
    require(bool(command.runs), "compare", "names no run", "give the folders of finished runs")
    return compare_groups(open_groups(command.runs, command.settings), command)


def compare_groups(groups: Sequence[Group], command: CompareCommand, more: Sequence[Block] = ()) -> Compared:
    """Compare groups of runs; see ``compare``.

    Args:
        groups: of runs over one collection.
        command: everything but the runs.
        more: what the page shows besides, at its end.
    """
    check_alike([run for group in groups for run in group.runs])
    systems = {system.name: system for system in measured_systems(groups, command.systems)}
    require(len(systems) > 1, "compare", f"finds one system only ({', '.join(systems)})", "give another run or system")
    first = groups[0].runs[0]
    tested = first.measures[0]
    reference = _reference(list(systems.values()), command.reference, tested)
    values = {name: _values(system, tested) for name, system in systems.items()}
    yardsticks = [name for name, system in systems.items() if system.yardstick]
    found = compare_replicates(values, reference, command.resamples, command.seed, yardsticks)
    origins = {
        name: [str(run.folder) for group in system.groups for run in group.runs] for name, system in systems.items()
    }
    content = ReplicatesContent(
        found=found,
        measure=tested,
        means={name: _means(system, first.measures) for name, system in systems.items()},
        unreplicated=[name for name, system in systems.items() if system.trained and len(system.rankings) == 1],
        chosen=command.reference is None,
        resamples=command.resamples,
        collection=first.recipe["evaluation"]["collection"],
        fingerprint=_identity(first, list(systems.values()), command, reference),
        settings=_settings(groups),
        runs=Table(
            ("system", "runs"),
            [(name, ", ".join(Path(folder).name for folder in folders)) for name, folders in origins.items()],
        ),
        more=more,
    )
    folder = command.out or command.settings.runs_dir / f"compare-{content.fingerprint[:12]}"
    compared = Compared(content, origins, write_comparison(folder, content))
    write_json(folder / "comparison.json", compared.as_dict())
    return compared


def _reference(systems: Sequence[MeasuredSystem], named: str | None, measure: str) -> str:
    """The named system, or the strongest of those that no run has made."""
    if named is not None:
        names = [system.name for system in systems]
        matching = [name for name in names if name == named] or [
            name for name in names if name.startswith(f"{named} (")
        ]
        known = f"choose from {', '.join(names)}"
        if len(matching) > 1:
            raise UserError("--reference", f"{named!r} could be {' or '.join(matching)}", "give the whole name")
        require(bool(matching), "--reference", f"there is no system {named!r}", suggest(named, names, known))
        return matching[0]
    given = [system for system in systems if system.given]
    what = "none of these systems was there before the runs, so none is the usual reference"
    require(bool(given), "--reference", what, f"name one of {', '.join(system.name for system in systems)}")
    return max(given, key=lambda system: _means(system, (measure,))[measure]).name


def _values(system: MeasuredSystem, measure: str) -> list[list[float]]:
    return [list(ranking.measured.per_topic[measure].values()) for ranking in system.rankings]


def _means(system: MeasuredSystem, measures: Sequence[str]) -> dict[str, float]:
    """The mean of each measure over topics and seeds."""
    rankings = system.rankings
    return {name: sum(ranking.measured.mean[name] for ranking in rankings) / len(rankings) for name in measures}


def _identity(run: Finished, systems: Sequence[MeasuredSystem], command: CompareCommand, reference: str) -> str:
    rankings = [[system.name, [ranking.identity for ranking in system.rankings]] for system in systems]
    measured = [run.measures, run.collection.name]
    chosen = [reference, command.reference, command.resamples, command.seed]
    return fingerprint(["compare", VERSION, rankings, *measured, *chosen])


def _settings(groups: Sequence[Group]) -> Table | None:
    """What the groups differ in, a column for each; none for a single group."""
    names = short_names([[group] for group in groups])
    return Table(("setting", *names), differing(groups)) if len(groups) > 1 else None
