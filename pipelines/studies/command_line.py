"""Parsing of ``python -m pipelines.studies <study> <recipe> [--field value ...]``."""

from importlib import import_module

from optical import components
from optical.errors import UserError, suggest
from pipelines.cli.help import HELP_FLAGS
from pipelines.cli.parse import Help, parse_command
from pipelines.cli.print import table
from pipelines.studies.kinds.base import StudyCommand
from pipelines.verbs import Verb

KINDS = "pipelines.studies.kinds"
PROGRAM = "python -m pipelines.studies"


def parse(arguments: list[str]) -> tuple[str, StudyCommand | Help]:
    """The study's name and its command, or the answer to a question for help.

    Raises:
        UserError: unknown study, recipe or field, or a value of the wrong type.
    """
    name, *rest = arguments or ["help"]
    known = components.names(KINDS)
    if name in ("help", *HELP_FLAGS):
        return "help", Help(_overview(known))
    if name not in known:
        raise UserError(PROGRAM, f"there is no study {name!r}", suggest(name, known, f"choose from {', '.join(known)}"))
    kind = import_module(f"{KINDS}.{name}")
    return name, parse_command(PROGRAM, name, Verb(kind.Config.question, ("study",)), kind.Command, rest)


def _overview(known: tuple[str, ...]) -> str:
    rows = [(name, import_module(f"{KINDS}.{name}").Config.question) for name in known]
    usage = f"usage: {PROGRAM} <study> <recipe> [--field value ...]"
    return f"{usage}\n\nstudies:\n{table(rows, indent='  ', width=100)}\n\nfields: {PROGRAM} <study> <recipe> --help"
