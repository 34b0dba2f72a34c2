"""``python -m tune.search <recipe> [--trials 8] [--field value ...]``: search epsilon and learning rate."""

# A library is imported when a campaign needs it, as in ``pipelines.__main__``.
from __future__ import annotations

import json

from pipelines.cli.guard import guarded, program
from pipelines.cli.print import say


def main(arguments: list[str] | None = None) -> int:
    """Run a campaign; the return value is the exit code."""
    return guarded(_run, arguments)


def _run(arguments: list[str]) -> int:
    from pipelines.cli.parse import Help
    from tune.command_line import parse

    command = parse(arguments)
    if isinstance(command, Help):
        say(command.text)
        return 0
    from tune.campaign import search
    from tune.summary import best_command, tested_table, trials_table

    found = search(command.recipe, command.campaign, command.settings)
    if command.json:
        say(json.dumps(found.as_dict()))
    else:
        tested = f"\n\n{tested_table(found)}" if found.tested else ""
        say(f"{trials_table(found)}{tested}\n\nbest: {best_command(found)}")
    return 0


if __name__ == "__main__":
    program(main)
