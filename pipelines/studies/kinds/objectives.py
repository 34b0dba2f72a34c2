"""The objectives study: which objective teaches best, with the same teacher, data, start and number of steps."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from typing import Annotated, ClassVar

import tyro

from optical.errors import DataError, UserError, require, require_seed
from optical.objectives import sum as weighted_sum
from optical.objectives.base import ObjectiveConfig
from optical.recipe import Recipe, decisive
from optical.report.blocks import Paragraph, Table, Terms
from pipelines.studies.kinds.base import Cell, Comparison, Findings, Outcome, Plan, StudyCommand, StudyConfig

MEASURE = "dev_spearman"
_PLUS = re.compile(r"\+(?![^()]*\))")
_OBJECTIVES = (
    *("ot", "ot(epsilon=0.1,epsilon_unit=mean_cost)", "ot(method=unbalanced)", "ot(method=partial,mass=0.9)"),
    *("divergence", "greedy", "argmax", "intersection", "pooled", "score_kl", "contrastive"),
    *("ot+0.5*pooled",),
)


@dataclass(frozen=True, kw_only=True)
class Config(StudyConfig):
    """Every objective at every rate with the first seed; then the best ones with all seeds.

    The rate of an objective is the one with the best dev measure. The test collection is searched with that rate only.
    """

    question: ClassVar[str] = (
        "which objective teaches best? Every objective at every rate once, the best ones with every seed, with one "
        "teacher, the same pairs, start and number of steps"
    )

    objectives: tuple[str, ...] = _OBJECTIVES
    """Objectives to compare: a name, a name with fields such as ``ot(epsilon=0.05)``, or a weighted sum of these such
    as ``ot+0.5*pooled``. The bare name of the recipe's own objective stands for that with all its settings. Elsewhere a
    field that is not named has the objective's default, also where the recipe sets it."""
    rates: tuple[float, ...] = (1e-4, 3e-4)
    """Learning rates to try for each objective."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the training; the first one decides which rates and which objectives go on."""
    finalists: int = 5
    """Objectives that are trained with every seed: those with the best dev measure."""
    always: tuple[str, ...] = ()
    """Objectives that are trained with every seed in any case. So are the recipe's own, and those that no dev measure
    can compare with others (contrastive)."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("objectives", "rates", "seeds"):
            values = getattr(self, name)
            require(len(values) > 0, name, "is empty", "give at least one")
            require(len(set(values)) == len(values), name, "names one twice", "leave one of them out")
        for rate in self.rates:
            require(0 < rate < inf, "rates", f"has {rate}", "give positive numbers")
        for seed in self.seeds:
            require_seed("seeds", seed)
        require(self.finalists >= 0, "finalists", f"is {self.finalists}", "set 0 or more")
        for spec in self.objectives:
            if spec != weighted_sum.Config.name:  # which only a recipe can mean
                objective_of(spec)
        for spec in self.always:
            what = f"has {spec!r}, which is none of --objectives"
            require(spec in self.objectives, "always", what, f"choose from {', '.join(self.objectives)}")

    def plan(self, recipe: Recipe) -> Plan:
        """Screen every objective at every rate, then test the best rate of each, and the finalists with every seed.

        The first seed of all comes before any other, so an interrupted study has tested every objective early.
        """
        spelled = self._spelled(recipe)
        objectives = dict.fromkeys(spelled.values())
        tried = yield [self._cell(recipe, spec, rate, self.seeds[0]) for spec in objectives for rate in self.rates]
        chosen = dict(_best_rates(tried))
        if not chosen:
            raise UserError("objectives", "no training has ended well", f"the first one says: {tried[0].failure}")
        own = [recipe.objective.name] if recipe.objective.name in spelled else []
        finalists = self._finalists(chosen, {spelled[spec] for spec in (*self.always, *own)})
        tested = yield [
            replace(self._cell(recipe, spec, outcome.cell.recipe.train.learning_rate, seed), tested=True)
            for seed in self.seeds
            for spec, outcome in chosen.items()
            if seed == self.seeds[0] or spec in finalists
        ]
        ended = [found for found in tested if not found.failure]
        runs = {spec: [found.run_dir for found in ended if found.cell.system == spec] for spec in chosen}
        more = (*_failed(tested), *_left_out(spelled))
        return Findings([Comparison(recipe, runs, [*self._blocks(recipe, tried, chosen, finalists), *more])])

    def _spelled(self, recipe: Recipe) -> dict[str, str]:
        """For every spec the first one that means the same in this recipe: two names of one run are one system."""
        first: dict[str, str] = {}
        return {
            spec: first.setdefault(json.dumps(decisive(self._cell(recipe, spec, 1.0, 0).recipe)["objective"]), spec)
            for spec in self.objectives
        }

    def _cell(self, recipe: Recipe, spec: str, rate: float, seed: int) -> Cell:
        objective = recipe.objective if spec == recipe.objective.name else objective_of(spec)
        train = replace(recipe.train, learning_rate=rate, seed=seed)
        return Cell(spec, replace(recipe, objective=objective, train=train))

    def _finalists(self, chosen: Mapping[str, Outcome], always: set[str]) -> set[str]:
        judged = _judged(chosen)
        ranked = sorted(judged, key=lambda spec: -_measured(chosen[spec]))
        return {*ranked[: self.finalists], *(chosen.keys() - judged), *(always & chosen.keys())}

    def _blocks(
        self, recipe: Recipe, tried: Sequence[Outcome], chosen: Mapping[str, Outcome], finalists: set[str]
    ) -> Iterator[Paragraph | Table | Terms]:
        """The screening: the dev measure of every objective at every rate, and what was chosen by it."""
        by_place = {(found.cell.system, found.cell.recipe.train.learning_rate): found for found in tried}
        rows = []
        objectives = list(dict.fromkeys(found.cell.system for found in tried))
        for spec in objectives:
            cells = [_shown(by_place[spec, rate], chosen.get(spec)) for rate in self.rates]
            rows.append((spec, *cells, "yes" if spec in finalists else "no"))
        header = ("objective", *(f"rate {rate:g}" for rate in self.rates), "every seed")
        judged = _judged(chosen)
        for spec in chosen:
            if spec not in judged:
                yield Paragraph(
                    f"{spec} is trained with every seed because {MEASURE} cannot compare it with other objectives: it "
                    "teaches another ranking than the teacher's. Its rate alone is chosen by that measure."
                )
        said = f"{MEASURE} of seed {self.seeds[0]}, by objective and learning rate; * is the rate that was tested"
        yield Table(header, rows, said, frozenset(range(1, len(self.rates) + 1)))
        yield Terms({spec: self._cell(recipe, spec, 1.0, 0).recipe.objective.in_words() for spec in objectives})


def objective_of(spec: str) -> ObjectiveConfig:
    """The objective that a word means.

    >>> objective_of("ot(epsilon=0.05)").epsilon, objective_of("ot+0.5*pooled").name
    (0.05, 'sum')

    Raises:
        UserError: there is no such objective or field, or a value is impossible.
    """
    made = weighted_sum.Config(terms=tuple(_PLUS.split(spec)))
    first, *others = made.parsed
    return made if others or first.weight != 1 else first.config


def _judged(chosen: Mapping[str, Outcome]) -> list[str]:
    """The objectives that the dev measure can compare with each other."""
    return [spec for spec, found in chosen.items() if found.cell.recipe.objective.judged_by_dev]


def _failed(tested: Sequence[Outcome]) -> Iterator[Paragraph]:
    """Which seeds are missing from the means of their systems, and why."""
    for found in tested:
        if found.failure:
            train = found.cell.recipe.train
            yield Paragraph(
                f"The training of {found.cell.system} at rate {train.learning_rate:g} with seed {train.seed} failed; "
                f"its mean is that of its other seeds alone: {found.failure}"
            )


def _left_out(spelled: Mapping[str, str]) -> Iterator[Paragraph]:
    """Which specs have no system of their own."""
    for spec, first in spelled.items():
        if spec != first:
            yield Paragraph(f"{spec} is the same objective as {first} in this recipe, and was trained under that name.")


def _best_rates(tried: Sequence[Outcome]) -> Iterator[tuple[str, Outcome]]:
    """The outcome with the best dev measure of every objective that has one, in the order given."""
    for spec in dict.fromkeys(found.cell.system for found in tried):
        ended = [found for found in tried if found.cell.system == spec and not found.failure]
        if ended:
            yield spec, max(ended, key=_measured)


def _measured(found: Outcome) -> float:
    """The deciding dev measure of a trained student.

    Raises:
        DataError: the run is of a version that did not record it.
    """
    if MEASURE not in found.dev:
        what = f"was trained by an older version, which did not record {MEASURE}"
        raise DataError(found.run_dir, what, "delete this folder, and give the same command again: it trains anew")
    return found.dev[MEASURE]


def _shown(found: Outcome, best: Outcome | None) -> str:
    if found.failure:
        return "failed"
    return f"{_measured(found):.4f}{' *' if found is best else ''}"


@dataclass(frozen=True, kw_only=True)
class Command(StudyCommand):
    """What the command prints."""

    study: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)
