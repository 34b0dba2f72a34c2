"""``python -m pipelines <verb> <recipe> [--field value ...]``"""

# A library is imported when a verb needs it: help and refusals come at once, and a Python that lacks one says so.
from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from pipelines.cli.guard import guarded, program

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.cli.commands import Command, CompareCommand, ListCommand, MachineCommand


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the return value is the exit code (see ``optical.errors``)."""
    return guarded(_run, arguments)


def _run(arguments: list[str]) -> int:
    from pipelines.cli.commands import Command
    from pipelines.cli.parse import Help, parse
    from pipelines.cli.print import say
    from pipelines.verbs import VERBS

    verb, command = parse(arguments or ["help"])
    if isinstance(command, Help) and not arguments:
        # A script whose variable is empty has done nothing, and must not take that for success.
        sys.stderr.write(f"{command.text}\n")
        return 2
    if isinstance(command, Help):
        say(command.text)
    elif isinstance(command, Command) and VERBS[verb].in_session:
        _work(verb, command)
    else:
        _WITHOUT_SESSION[verb](command)
    return 0


def _work(verb: str, command: Command) -> None:
    from pipelines.cli.print import print_comparison, print_facts, print_run
    from pipelines.graph.workspace import Workspace
    from pipelines.recipes.language_pair import found_words, is_pair
    from pipelines.session import Session

    if is_pair(command.recipe.name):
        sys.stderr.write(f"{command.recipe.name}  {found_words(command.recipe)}\n")
    workspace = Workspace(command.recipe, command.settings)
    with Session(workspace) as session:
        state = "resuming" if session.resumed else "in"
        line = f"{verb} {command.recipe.name}  fingerprint {workspace.fingerprint[:12]}  {state} {session.run_dir}"
        sys.stderr.write(line + "\n")
        found = getattr(import_module(f"pipelines.verbs.{verb}"), verb)(session, **command.options)
        if verb == "run":
            print_run(found, command.recipe.evaluation, command.json)
        elif verb == "evaluate":
            print_comparison(found, command.recipe.evaluation, workspace.fingerprint, command.json)
        else:
            print_facts(verb, found, workspace, command.json)


def _list(command: ListCommand) -> None:
    from pipelines.cli.listing import listed
    from pipelines.cli.print import print_list

    print_list(listed(command.settings, command.language), command.json)


def _compare(command: CompareCommand) -> None:
    from pipelines.cli.print import print_replicates
    from pipelines.verbs.compare import compare

    print_replicates(compare(command), command.json)


def _diagnose(command: MachineCommand) -> None:
    from optical.errors import UserError
    from pipelines.cli.print import print_findings
    from pipelines.verbs.doctor import doctor

    findings = doctor(command.settings, getattr(command, "recipe", None))
    print_findings(findings, command.json)
    if bad := [finding.what for finding in findings if not finding.fine]:
        raise UserError("doctor", f"found fault with {', '.join(bad)}", "fix what is marked BAD, then run doctor again")


_WITHOUT_SESSION: dict[str, Callable[..., None]] = {"prepare": _list, "compare": _compare, "doctor": _diagnose}

if __name__ == "__main__":
    program(main)
