"""What a campaign searches: the fields and their ranges, and how many recipes it tries."""

from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from typing import Any

from optical.components import kind_of
from optical.errors import UserError, require, require_seed, suggest
from optical.recipe import Recipe, decisive

Point = dict[str, Any]
"""A sampled value for each searched field, by its path in the recipe (``objective.epsilon``)."""

_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, kw_only=True)
class CampaignConfig:
    """The size and the ranges of a search."""

    trials: int = 8
    """Recipes to try."""
    max_concurrent: int = 1
    """Trainings at the same time; each has ``num_workers`` workers of its own."""
    epsilon: tuple[float, float] = (0.02, 0.5)
    """Range of ``objective.epsilon``, in its unit, sampled log-uniformly; not searched where there is none."""
    learning_rate: tuple[float, float] = (1e-4, 3e-3)
    """Range of ``train.learning_rate``, sampled log-uniformly."""
    fields: tuple[str, ...] = ()
    """More fields to search: ``train.weight_decay=0.001..0.1`` (log-uniform), or ``objective.method=sinkhorn,partial``
    (one of these)."""
    first_share: float = 1 / 6
    """Share of the steps that every trial is trained for at first, as a whole training of so many steps; 1 trains all
    trials to the end."""
    keep: int = 3
    """One in so many trials goes on to a training of ``keep`` times as many steps, and so on up to all steps."""
    finalists: int = 2
    """The best so many trials are trained to the end with every seed, and compared by their mean."""
    seeds: int = 3
    """Number of seeds: the recipe's own, and the next ones."""
    test: bool = True
    """Search the test collection once, with the students of the best trial."""
    seed: int = 0
    """Seed of the sampled points."""

    def __post_init__(self) -> None:
        for name, least in (("trials", 1), ("max_concurrent", 1), ("keep", 2), ("finalists", 1), ("seeds", 1)):
            require(getattr(self, name) >= least, name, f"is {getattr(self, name)}", f"set at least {least}")
        require(0 < self.first_share <= 1, "first_share", f"is {self.first_share}", "set above 0, at most 1")
        require_seed("seed", self.seed)
        for name in ("epsilon", "learning_rate"):
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise UserError(name, f"is the range {low} to {high}", "give two positive numbers, the smaller first")

    def searched(self, recipe: Recipe) -> list["Searched"]:
        """The searched fields; every end of a range and every choice is a value that the recipe accepts.

        Raises:
            UserError: no such field, or a value that it cannot have.
        """
        usual = [Searched("train.learning_rate", self.learning_rate, True)]
        if hasattr(recipe.objective, "epsilon"):
            usual.insert(0, Searched("objective.epsilon", self.epsilon, True))
        found = {field.path: field for field in usual}
        for text in self.fields:
            field = _parsed(text, recipe)
            found[field.path] = field
        for field in found.values():
            for value in field.values:
                applied(recipe, {field.path: value})
        idle = [field for field in found.values() if _is_idle(field, found.values(), recipe)]
        for field in idle:
            if field not in usual:
                raise UserError("fields", f"{field.path} changes no result of this recipe", "search another field")
        return [field for field in found.values() if field not in idle]

    @property
    def identity(self) -> dict[str, object]:
        """What decides the trainings: with other numbers of trials or other concurrency it is the same campaign."""
        size = ("trials", "max_concurrent", "test")
        return {name: value for name, value in asdict(self).items() if name not in size}

    def points(self, recipe: Recipe) -> list[Point]:
        """The points of all trials, spread evenly (scrambled Sobol); more trials have the same first points.

        Raises:
            UserError: see ``searched``.
        """
        from scipy.stats import qmc

        fields = self.searched(recipe)
        # Powers of two only are drawn, for which the sequence is balanced.
        drawn = qmc.Sobol(len(fields), seed=self.seed).random_base2((self.trials - 1).bit_length())[: self.trials]
        return [
            {field.path: field.at(share) for field, share in zip(fields, shares, strict=True)}
            for shares in drawn.tolist()
        ]


@dataclass(frozen=True)
class Searched:
    """One searched field.

    Args:
        path: its place in the recipe, such as ``train.learning_rate``.
        values: the two ends of a range, or the choices.
        ranged: whether ``values`` is a range, which is sampled log-uniformly.
    """

    path: str
    values: tuple[Any, ...]
    ranged: bool

    def at(self, share: float) -> Any:
        """The value at a share of the field's values, from 0 to below 1; a range of whole numbers has both its ends.

        >>> Searched("train.learning_rate", (1e-4, 1e-2), True).at(0.5)
        0.001
        >>> Searched("objective.method", ("sinkhorn", "partial"), False).at(0.5)
        'partial'
        """
        if not self.ranged:
            return self.values[int(share * len(self.values))]
        low, high = self.values
        whole = isinstance(low, int)
        value = low * ((high + whole) / low) ** share
        return min(int(value), high) if whole else float(f"{value:.6g}")


def applied(recipe: Recipe, point: Point) -> Recipe:
    """The recipe with a sampled point's fields set.

    >>> from pipelines.recipes import recipe
    >>> applied(recipe("demo"), {"objective.epsilon": 0.2, "train.mixture.mono_share": 0.1}).train.mixture.mono_share
    0.1
    """
    for path, value in point.items():
        recipe = _replaced(recipe, path.split("."), value)
    return recipe


def _replaced(section: Any, path: list[str], value: object) -> Any:
    name, *rest = path
    return replace(section, **{name: _replaced(getattr(section, name), rest, value) if rest else value})


def _is_idle(field: Searched, searched: Collection[Searched], recipe: Recipe) -> bool:
    """Whether a field changes nothing that is trained, whatever value another searched field has."""
    others = [{other.path: value} for other in searched if other is not field for value in other.values]
    for point in ({}, *others):
        one, other = (decisive(applied(recipe, {**point, field.path: value})) for value in field.values[:2])
        if one != other:
            return False
    return True


def _refuse_shared(path: str, recipe: Recipe) -> None:
    """Refuse a field that decides more than the student: trials share data, teacher and start."""
    shared = path.partition(".")[0] not in ("objective", "train")
    if shared or (path == "train.target_length" and recipe.teacher.cache):
        what = f"{path} decides more than a trial trains: all trials share data, teacher and the student's start"
        raise UserError("fields", what, "search fields of objective and train, and run a campaign for each other value")


def _parsed(text: str, recipe: Recipe) -> Searched:
    path, _, values = text.partition("=")
    form = "write FIELD=LOW..HIGH or FIELD=ONE,OTHER, such as train.weight_decay=0.001..0.1"
    if not values:
        raise UserError("fields", f"{text!r} gives no values", form)
    read = _reader(path, recipe)
    _refuse_shared(path, recipe)
    low, dots, high = values.partition("..")
    ranged = bool(dots)
    given = tuple(map(read, (low, high) if ranged else values.split(",")))
    if ranged and not (all(isinstance(value, float | int) for value in given) and 0 < given[0] < given[1]):
        raise UserError("fields", f"{text!r} is no range", f"give two positive numbers, the smaller first; {form}")
    if not ranged and len(set(given)) < 2:
        raise UserError("fields", f"{text!r} gives one value", "give two or more, or set the field of the recipe")
    return Searched(path, given, ranged)


def _reader(path: str, recipe: Recipe) -> Callable[[str], Any]:
    """What turns a word into a value of the field at ``path``, by the type of its present value."""
    section: Any = None
    present: Any = recipe
    name = ""
    for name in path.split("."):
        if not is_dataclass(present) or name not in {item.name for item in fields(present)}:
            advice = suggest(path, _paths(recipe), "see --help-all for the fields")
            raise UserError("fields", f"the recipe {recipe.name} has no field {path!r}", advice)
        section, present = present, getattr(present, name)
    if (component := kind_of(type(section))) and component.field == name:
        raise UserError("fields", f"{path} names a component, which has fields of its own", "run a campaign for each")
    kind = type(present)
    if kind not in (int, float, bool, str):
        raise UserError("fields", f"{path} is {present!r}, and no number, word or switch", "search another field")

    def read(word: str) -> Any:
        try:
            return _TRUTH[word.lower()] if kind is bool else kind(word)
        except (ValueError, KeyError):
            raise UserError("fields", f"{word!r} is no value of {path}", f"its present value is {present}") from None

    return read


def _paths(section: Any, prefix: str = "") -> list[str]:
    """The paths of all fields of a recipe."""
    inner = {f"{prefix}{item.name}": getattr(section, item.name) for item in fields(section)}
    return [
        path for name, value in inner.items() for path in (_paths(value, f"{name}.") if is_dataclass(value) else [name])
    ]
