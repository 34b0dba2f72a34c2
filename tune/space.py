"""What a campaign searches: ranges of epsilon and learning rate, and how much of it to try."""

from dataclasses import dataclass, replace

from optical.errors import UserError
from optical.recipe import Recipe


@dataclass(frozen=True, kw_only=True)
class CampaignConfig:
    """The size and the ranges of a search."""

    trials: int = 8
    """Recipes to try."""
    max_concurrent: int = 1
    """Trials at work at the same time; each has ``num_workers`` workers of its own."""
    epsilon: tuple[float, float] = (0.02, 0.5)
    """Range of ``objective.epsilon``, sampled log-uniformly."""
    learning_rate: tuple[float, float] = (1e-4, 3e-3)
    """Range of ``train.learning_rate``, sampled log-uniformly."""
    grace_looks: int = 2
    """Looks at the dev measure that every trial gets before ASHA may stop it."""
    reduction_factor: int = 3
    """ASHA keeps one in so many trials at each rung."""
    seed: int = 0
    """Seed of the sampled points."""

    def __post_init__(self) -> None:
        for name in ("trials", "max_concurrent", "grace_looks"):
            if getattr(self, name) < 1:
                raise UserError(name, f"is {getattr(self, name)}", "set at least 1")
        if self.reduction_factor < 2:
            raise UserError("reduction_factor", f"is {self.reduction_factor}", "set at least 2")
        for name in ("epsilon", "learning_rate"):
            low, high = getattr(self, name)
            if not 0 < low < high:
                raise UserError(name, f"is the range {low} to {high}", "give two positive numbers, the smaller first")

    def space(self) -> dict:
        """Ray Tune's parameter space."""
        from ray import tune

        return {
            "objective.epsilon": tune.loguniform(*self.epsilon),
            "train.learning_rate": tune.loguniform(*self.learning_rate),
        }


def applied(recipe: Recipe, point: dict[str, float]) -> Recipe:
    """The recipe with a sampled point's fields set.

    >>> from pipelines.recipes import recipe
    >>> applied(recipe("demo"), {"objective.epsilon": 0.2}).objective.epsilon
    0.2
    """
    for path, value in point.items():
        section, name = path.split(".")
        recipe = replace(recipe, **{section: replace(getattr(recipe, section), **{name: value})})
    return recipe
