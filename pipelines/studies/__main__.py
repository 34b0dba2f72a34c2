"""``python -m pipelines.studies <study> <recipe> [--field value ...]``"""

# A library is imported when a study needs it, as in ``pipelines.__main__``.
from __future__ import annotations

from pipelines.cli.guard import guarded, program
from pipelines.cli.print import say


def main(arguments: list[str] | None = None) -> int:
    """Do a study; the return value is the exit code."""
    return guarded(_run, arguments)


def _run(arguments: list[str]) -> int:
    from pipelines.cli.parse import Help
    from pipelines.studies.command_line import parse

    name, command = parse(arguments)
    if isinstance(command, Help):
        say(command.text)
        return 0
    from pipelines.cli.print import print_conditions, print_replicates
    from pipelines.studies.page import Overview, write_page
    from pipelines.studies.work import Study

    study = Study(name, command.study, command.recipe, command.settings)
    found = write_page(study, study.run())
    if isinstance(found, Overview):
        print_conditions(found, command.json)
    else:
        print_replicates(found, command.json)
    return 0


if __name__ == "__main__":
    program(main)
