"""Parsing of ``python -m tune.search <recipe> [--trials 8] [--field value ...]``."""

from dataclasses import dataclass, field
from typing import Annotated

import tyro

from pipelines.cli.commands import Command
from pipelines.cli.parse import Help, parse_command
from pipelines.verbs import Verb
from tune.space import CampaignConfig

_CAMPAIGN = Verb(
    "search epsilon and learning rate by held-out bitext: few steps for all trials, more for the best, with Ray Tune",
    ("campaign",),
)


@dataclass(frozen=True, kw_only=True)
class CampaignCommand(Command):
    """What the command prints."""

    campaign: Annotated[CampaignConfig, tyro.conf.arg(name="")] = field(default_factory=CampaignConfig)


def parse(arguments: list[str]) -> CampaignCommand | Help:
    """The command, or the answer to a question for help.

    Raises:
        UserError: unknown recipe or field, or a value of the wrong type.
    """
    return parse_command("python -m", "tune.search", _CAMPAIGN, CampaignCommand, arguments)
