"""doctor: what this machine has, and what a run of the recipe would be refused for on it."""

from optical.recipe import Recipe
from pipelines import checks
from pipelines.checks import Finding, machine
from pipelines.environment import Settings


def doctor(settings: Settings, recipe: Recipe | None = None) -> list[Finding]:
    """Look at the machine, and at what the recipe needs if one is given; nothing is fetched, nothing stays written."""
    found = [finding for check in machine.CHECKS for finding in checks.findings(check, settings)]
    if recipe is not None:
        # Only a recipe asks for the libraries that read data.
        from pipelines.checks.recipe import CHECKS

        found += [finding for check in CHECKS for finding in checks.findings(check, recipe, settings)]
    return found
