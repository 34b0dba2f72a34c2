"""Parsing of ``python -m tune.search <recipe> [--trials 8] [--field value ...]``."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from optical.recipe import Recipe
from pipelines.cli.help import asked_for
from pipelines.cli.parse import Help, help_on, parse_fields, recipe_and_flags
from pipelines.environment import Settings
from pipelines.recipes import recipe
from pipelines.verbs import Verb
from tune.space import CampaignConfig

_PROGRAM = "python -m tune.search"
_CAMPAIGN = Verb("search epsilon and learning rate by held-out bitext, with Ray Tune and ASHA", ("campaign",))


@dataclass(frozen=True, kw_only=True)
class Command:
    """What it tells."""

    recipe: Annotated[Recipe, tyro.conf.arg(name="")]
    campaign: Annotated[CampaignConfig, tyro.conf.arg(name="")] = field(default_factory=CampaignConfig)
    settings: Annotated[Settings, tyro.conf.arg(name="")] = field(default_factory=Settings)
    json: bool = False
    """End with one JSON line on standard output instead of a table."""
    verbose: bool = False
    """Log what the library decides on the way, and show tracebacks."""


def parse(arguments: list[str]) -> Command | Help:
    """The command, or the answer to a question for help.

    Raises:
        UserError: unknown recipe or field, or a value of the wrong type.
    """
    if asked_for(arguments):
        return help_on(_PROGRAM, _CAMPAIGN, Command, arguments)
    name, flags = recipe_and_flags(arguments, _PROGRAM)
    return parse_fields(Command(recipe=recipe(name)), flags, f"tune.search {name}")
