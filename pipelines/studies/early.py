"""What the page of a study would refuse after all the work, found before it."""

from math import comb

from optical.errors import require
from optical.evaluation.replicates import least_resamples
from optical.evaluation.systems import Reading, parts_of
from optical.recipe import Recipe
from pipelines.graph.runs import encoders


def check_page(recipe: Recipe, trained: int, resamples: int) -> None:
    """Refuse a study whose page would have no reference, or too few resamples for its comparisons.

    Args:
        recipe: what the cells are variants of.
        trained: how many systems the study trains; what a run measures besides is one system for all of them.
        resamples: of the page.

    Raises:
        UserError: the baseline is made by the training that the study varies, or a field has too small a value.
    """
    evaluation, there = recipe.evaluation, encoders(recipe)
    makers = {system.name: system.made_by for system in evaluation.compared}
    read = {
        name: {part.encoder for part in parts_of(made_by, makers) if isinstance(part, Reading)}
        for name, made_by in makers.items()
    }
    varied = {name: bool(found & {"student", "bridge"}) for name, found in read.items() if found <= there}
    what = f"is {evaluation.baseline}, which every objective trains anew, and a study has one reference"
    require(not varied.get(evaluation.baseline, False), "evaluation.baseline", what, "choose another")
    pairs = comb(sum(trained if own else 1 for own in varied.values()), 2)
    what = f"is {resamples}, and the page may compare {pairs} pairs of systems: none could then be told apart"
    least = least_resamples(pairs)
    require(resamples >= least, "resamples", what, f"set at least {least}")
