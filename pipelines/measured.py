"""The rankings of finished runs, measured on their one collection, and put together to systems with seeds."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from optical.artefacts import fingerprint, sha256_file
from optical.data.collections.qrels import Qrel
from optical.errors import DataError, UserError, require, suggest
from optical.evaluation.measures import Measured, measure
from optical.evaluation.runs import read_qrels, read_run
from pipelines.finished import EVALUATION, Finished
from pipelines.groups import Group, given_name, seeds, short_names

_ROUNDING = 1e-9


@dataclass(frozen=True)
class Ranking:
    """A ranking with its measures; ``identity`` is the hash of the ranked passages, without their scores."""

    identity: str
    measured: Measured


@dataclass(frozen=True)
class MeasuredSystem:
    """A system of one or more groups of runs: a ranking for each seed that changes it, and where they come from.

    Args:
        name: in tables.
        rankings: one for each seed; one alone where the seeds change nothing.
        groups: the groups of runs that have it.
        trained: whether a training of these runs made its encoder.
        given: whether it was there before them: its encoder is pretrained, and it reads the queries themselves.
        yardstick: whether it reads translations by people, so that it is no rival.
    """

    name: str
    rankings: tuple[Ranking, ...]
    groups: tuple[Group, ...]
    trained: bool
    given: bool
    yardstick: bool


class Measurer:
    """Reads and measures rankings; a file with the content of an earlier one is read once.

    Args:
        qrels: the judgements.
        measures: in the notation of ir_measures.
    """

    def __init__(self, qrels: Sequence[Qrel], measures: Sequence[str]) -> None:
        self._qrels, self._measures = qrels, measures
        self._known: dict[str, Ranking] = {}

    def ranking(self, run: Finished, system: str) -> Ranking:
        """The ranking of a system in a run.

        Raises:
            DataError: the file is damaged, or its measures are not those that ``evaluate`` has written.
        """
        path = run.ranking(system)
        content = sha256_file(path)
        if content not in self._known:
            read = read_run(path)
            identity = fingerprint({qid: read.docids(qid) for qid in read.rankings})
            self._known[content] = Ranking(identity, measure(read, self._qrels, self._measures))
        found = self._known[content]
        for name, value in run.means[system].items():
            if abs(found.measured.mean.get(name, value) - value) > _ROUNDING:
                what = f"its {name} is {found.measured.mean[name]:.6f}, and {EVALUATION} says {value:.6f}"
                raise DataError(path, what, "one of them is damaged: delete the run's folder and make the run again")
        return found


def check_alike(runs: Sequence[Finished]) -> None:
    """Refuse runs whose numbers cannot stand in one table.

    Raises:
        UserError: other measures, or other passages, topics or judgements.
    """
    first = runs[0]
    for other in runs[1:]:
        if other.measures != first.measures:
            what = f"has the measures {' '.join(other.measures)}, and {first.folder} {' '.join(first.measures)}"
            raise UserError(other.folder, what, "evaluate both with the same evaluation.measures")
        if part := _other_part(first.collection, other.collection):
            what = f"was measured with other {part} than {first.folder}"
            raise UserError(other.folder, what, "compare runs of one test collection")


def measured_systems(groups: Sequence[Group], wanted: Collection[str] = ()) -> list[MeasuredSystem]:
    """The systems of groups of runs, measured; what is the same ranking in several groups is one system.

    Args:
        groups: of runs over one collection.
        wanted: names of systems as in the runs, such as ``student``; all of them if it is empty.

    Raises:
        UserError: no such system, or two trainings of one seed that differ.
        DataError: a damaged ranking.
    """
    runs = [run for group in groups for run in group.runs]
    names = list(dict.fromkeys(name for run in runs for name in run.means))
    for name in wanted:
        require(
            name in names,
            "--systems",
            f"there is no system {name!r}",
            suggest(name, names, f"choose from {', '.join(names)}"),
        )
    measurer = Measurer(read_qrels(runs[0].collection / "qrels.txt"), runs[0].measures)
    return [system for name in names if name in wanted or not wanted for system in _systems(name, groups, measurer)]


def _systems(name: str, groups: Sequence[Group], measurer: Measurer) -> Iterator[MeasuredSystem]:
    """The systems of one name: groups with the same rankings share one, others are told apart by their settings."""
    classes: dict[tuple[str, ...], tuple[tuple[Ranking, ...], list[Group]]] = {}
    for group in groups:
        if rankings := _of_seeds(name, group, measurer):
            key = tuple(sorted(ranking.identity for ranking in rankings))
            classes.setdefault(key, (rankings, []))[1].append(group)
    found = [having for _, having in classes.values()]
    labels = short_names(found)
    if len(found) == 1 and any(run.has_student(name) for group in found[0] for run in group.runs):
        labels = [given_name(found[0])]
    for label, (rankings, having) in zip(labels, classes.values(), strict=True):
        runs = [run for group in having for run in group.runs if name in run.means]
        yield MeasuredSystem(
            f"{name} ({label})" if label else name,
            rankings,
            tuple(having),
            any(run.is_trained(name) for run in runs),
            all(run.is_given(name) for run in runs),
            any(run.is_yardstick(name) for run in runs),
        )


def _of_seeds(name: str, group: Group, measurer: Measurer) -> tuple[Ranking, ...]:
    """The rankings of a system in a group: one for each seed, or one where the student has no part in it."""
    found: dict[str, tuple[Finished, Ranking]] = {}
    for run in group.runs:
        if name in run.means:
            ranking, key = measurer.ranking(run, name), fingerprint(seeds(run))
            earlier, before = found.setdefault(key, (run, ranking))
            if before.identity != ranking.identity:
                what = f"and {earlier.folder} have the same recipe and seeds, and other rankings of {name}"
                raise UserError(run.folder, what, "leave one out, or name them apart: NAME=FOLDER")
    rankings = tuple(ranking for _, ranking in found.values())
    # The seed of a student changes nothing for the other systems of its run.
    own = any(run.has_student(name) for run, _ in found.values())
    return rankings if own or len({ranking.identity for ranking in rankings}) > 1 else rankings[:1]


def _other_part(mine: Path, other: Path) -> str | None:
    """The first part in which two collections differ."""
    if mine == other:
        return None
    if read_qrels(mine / "qrels.txt") != read_qrels(other / "qrels.txt"):
        return "judgements"
    for part in ("topics", "passages"):
        tables = (pq.read_table(folder / f"{part}.parquet") for folder in (mine, other))
        if not next(tables).equals(next(tables)):
            return part
    return None
