"""The conditions study: the objectives study once for each of several changes to its recipe.

It says where an objective pays: with few pairs, with noise, without a vocabulary of the language.
"""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Annotated, ClassVar

import tyro

from optical.errors import UserError, require
from optical.recipe import Recipe, decisive
from pipelines.cli.parse import parse_fields
from pipelines.studies.kinds import objectives
from pipelines.studies.kinds.base import Cell, Comparison, Findings, Outcome, Plan, StudyCommand


@dataclass(frozen=True)
class _Varied:
    """What a condition may change."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]


@dataclass(frozen=True, kw_only=True)
class Config(objectives.Config):
    """The objectives study under each condition. Its rates and finalists are chosen anew under each."""

    question: ClassVar[str] = (
        "where does an objective pay? The objectives study once under each of several conditions, which are changes to "
        "its recipe"
    )

    conditions: tuple[str, ...] = ()
    """Conditions: a name, a colon, and the flags that make it of the recipe, such as ``"300 pairs:
    --bitext.max-pairs 300"``; a name and a colon alone is the recipe as it is."""

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [_split(condition)[0] for condition in self.conditions]
        for name in names:
            require(names.count(name) == 1, "conditions", f"has two that are named {name!r}", "rename one")

    def plan(self, recipe: Recipe) -> Plan:
        """The stages of all objectives studies side by side, so that every condition is checked before any work."""
        example = 'give some, such as "300 pairs: --bitext.max-pairs 300"'
        require(len(self.conditions) > 0, "conditions", "is empty", example)
        changed = self._changed(recipe)
        plans = {name: objectives.Config.plan(self, made) for name, made in changed.items()}
        cells = {name: _under(name, next(plan)) for name, plan in plans.items()}
        found: dict[str, Findings] = {}
        while cells:
            outcomes = yield [cell for stage in cells.values() for cell in stage]
            cells = dict(_next_stage(plans, cells, outcomes, found))
        return Findings([comparison for name in plans for comparison in _named(name, found[name])])

    def _changed(self, recipe: Recipe) -> dict[str, Recipe]:
        """The recipe under each condition.

        Raises:
            UserError: a condition's flags cannot be read, or two conditions are the same.
        """
        made: dict[str, Recipe] = {}
        for condition in self.conditions:
            name, flags = _split(condition)
            where = f"condition {name!r}"
            other = parse_fields(_Varied(recipe), flags, where).recipe
            what = "has another tested measure (evaluation.measures) than the recipe"
            same = other.evaluation.measures[0] == recipe.evaluation.measures[0]
            require(same, where, what, "compare conditions by one measure")
            for path, flag in (("learning_rate", "--rates"), ("seed", "--seeds")):
                what = f"sets train.{path}, which the study sets in every run"
                same = getattr(other.train, path) == getattr(recipe.train, path)
                require(same, where, what, f"give the study {flag} instead")
            what = f"sets the objective {other.objective.name}, which is none of --objectives"
            seen = other.objective == recipe.objective or other.objective.name in self.objectives
            require(
                seen, where, what, f"add {other.objective.name} to --objectives, where the recipe's own settings hold"
            )
            for before, known in made.items():
                what = f"makes the same recipe as condition {before!r}"
                require(decisive(known) != decisive(other), where, what, "leave one of them out")
            made[name] = other
        return made


def _split(condition: str) -> tuple[str, list[str]]:
    """Name and flags of a condition.

    >>> _split("300 pairs: --bitext.max-pairs 300")
    ('300 pairs', ['--bitext.max-pairs', '300'])
    """
    name, colon, flags = (part.strip() for part in condition.partition(":"))
    require(bool(name and colon), "conditions", f"has {condition!r}, which has no name", 'write "name: --field value"')
    require(name.isprintable(), "conditions", f"has the name {name!r}", "write it in one line")
    try:
        return name, shlex.split(flags)
    except ValueError as error:
        raise UserError("conditions", f"has {condition!r}: {error}", "close the quotes") from None


def _under(name: str, cells: Sequence[Cell]) -> list[Cell]:
    return [replace(cell, condition=name) for cell in cells]


def _next_stage(
    plans: Mapping[str, Plan],
    cells: Mapping[str, Sequence[Cell]],
    outcomes: Sequence[Outcome],
    found: dict[str, Findings],
) -> Iterator[tuple[str, list[Cell]]]:
    """The next cells of every plan that has some; what the others have found enters ``found``."""
    following = iter(outcomes)
    for name, stage in cells.items():
        try:
            yield name, _under(name, plans[name].send(list(islice(following, len(stage)))))
        except StopIteration as last:
            found[name] = last.value


def _named(condition: str, findings: Findings) -> Iterator[Comparison]:
    for comparison in findings.comparisons:
        yield replace(comparison, condition=condition)


@dataclass(frozen=True, kw_only=True)
class Command(StudyCommand):
    """What the command prints."""

    study: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)
