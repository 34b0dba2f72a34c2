"""Which fields of a recipe decide its result: all but how often training is looked at, and those that are not used."""

from collections.abc import Iterator

from optical.config.recipe import Recipe

_CADENCE = ("checkpoint_steps", "dev_steps")
_OF_CANDIDATES = ("factory", "num_probes", "tokens_per_probe")
_OF_ITERATIONS = ("epsilon", "tolerance", "max_iterations")


def decisive(recipe: Recipe) -> dict:
    """The recipe as plain values without the fields that cannot change a number of this recipe's results.

    Two recipes of equal decisive fields share everything they make.
    """
    plain = recipe.as_dict()
    for path in _idle(recipe):
        *sections, name = path.split(".")
        section = plain
        for key in sections:
            section = section[key]
        del section[name]
    return plain


def _idle(recipe: Recipe) -> Iterator[str]:
    trainings = {"train": recipe.train}
    if recipe.teacher.scratch:
        trainings["teacher.scratch.train"] = recipe.teacher.scratch.train
    for where, train in trainings.items():
        yield from (f"{where}.{name}" for name in _CADENCE)
        if train.mixture.weights:
            yield f"{where}.mixture.temperature"
    if recipe.index.search == "exact":
        yield from (f"index.{name}" for name in _OF_CANDIDATES)
    method = recipe.objective.method
    if method != "unbalanced":
        yield "objective.penalty"
    if method != "partial":
        yield "objective.mass"
    if method == "exact":
        yield from (f"objective.{name}" for name in _OF_ITERATIONS)
