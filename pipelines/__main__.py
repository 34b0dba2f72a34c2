"""``python -m pipelines <verb> <recipe> [--field value ...]``"""

# A library is imported when a verb needs it: help and refusals come at once, and a Python without any is told so.
from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from pipelines.guard import guarded, program, say

if TYPE_CHECKING:
    from pipelines.command_line import Command, ListCommand
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session
    from pipelines.verbs.doctor import Finding


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the return value is the exit code (see ``optical.errors``)."""
    return guarded(_run, arguments)


def _run(arguments: list[str]) -> int:
    from pipelines.command_line import Help, ListCommand, MachineCommand, parse

    verb, command = parse(arguments or ["help"])
    if isinstance(command, Help) and arguments:
        say(command.text)
    elif isinstance(command, Help):
        # A script whose variable is empty has done nothing, and must not take that for success.
        sys.stderr.write(f"{command.text}\n")
        return 2
    elif isinstance(command, ListCommand):
        _tell_list(command)
    elif verb == "doctor":
        from pipelines.verbs.doctor import doctor

        recipe = None if isinstance(command, MachineCommand) else command.recipe
        return _tell_findings(doctor(command.settings, recipe), command.json)
    else:
        _work(verb, command)
    return 0


def _work(verb: str, command: Command) -> None:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session

    workspace = Workspace(command.recipe, command.settings)
    with Session(workspace) as session:
        word = "resuming" if session.resumed else "in"
        told = f"{verb} {command.recipe.name}  fingerprint {workspace.fingerprint[:12]}  {word} {session.run_dir}"
        sys.stderr.write(told + "\n")
        if verb == "run":
            _tell_run(session, command.json)
        elif verb == "evaluate":
            _tell_measures(session, command.json)
        else:
            _tell_facts(verb, session, command.json)
            if verb == "prepare" and not command.json:
                _tell_cleaning(workspace)


def _tell_run(session: Session, as_json: bool) -> None:
    from optical.report.results import measures_table
    from pipelines.verbs.run import run

    summary = run(session)
    if as_json:
        say(json.dumps(summary.as_dict()))
        return
    if summary.systems:
        say(measures_table(summary.systems, summary.p))
    _tell_remarks(summary.remarks)
    pairs = f"{summary.pairs:,} pairs, {sum(summary.rejected.values()):,} rejected"
    say(f"\n{pairs}; {sum(summary.seconds.values()):.0f} s of work; {summary.report}")


def _tell_measures(session: Session, as_json: bool) -> None:
    from optical.report.results import measures_table
    from pipelines.verbs.evaluate import evaluate

    verdict = evaluate(session)
    measures = {name: dict(measured.mean) for name, measured in verdict.systems.items()}
    if as_json:
        told = {"fingerprint": session.workspace.fingerprint, "measures": measures, "p": verdict.p}
        say(json.dumps(told | {"remarks": verdict.remarks}))
    else:
        say(measures_table(verdict.systems, verdict.p))
        _tell_remarks(verdict.remarks)


def _tell_remarks(remarks: tuple[str, ...]) -> None:
    for remark in remarks:
        say(f"note: {remark}")


def _tell_facts(verb: str, session: Session, as_json: bool) -> None:
    from importlib import import_module

    facts = getattr(import_module(f"pipelines.verbs.{verb}"), verb)(session)
    if as_json:
        say(json.dumps({"verb": verb, **facts}))
        return
    for name in ("first_pairs", "first_topics"):  # shown as tables of their own
        facts.pop(name, None)
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        say(f"{name.replace('_', ' '):<{width}}  {_worded(value)}")


def _worded(value: object) -> str:
    """A fact as a person says it."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {_worded(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _tell_cleaning(workspace: Workspace) -> None:
    from pipelines.cleaning import cleaning_table, sides_table, topics_table

    say(f"\n{cleaning_table(workspace)}\n\n{sides_table(workspace)}\n\n{topics_table(workspace)}")


def _tell_list(command: ListCommand) -> None:
    from pipelines.listing import as_rows, as_table, listed

    lines = listed(command.settings, command.language)
    say(json.dumps(as_rows(lines)) if command.json else as_table(lines))


def _tell_findings(findings: list[Finding], as_json: bool) -> int:
    bad = [finding for finding in findings if not finding.fine]
    if as_json:
        say(json.dumps({finding.what: {"fine": finding.fine, "seen": finding.seen} for finding in findings}))
    else:
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            say(f"{'ok ' if finding.fine else 'BAD'}  {finding.what:<{width}}  {finding.seen}")
    if bad:
        from optical.errors import UserError

        what = f"found fault with {', '.join(finding.what for finding in bad)}"
        raise UserError("doctor", what, "mend what is marked BAD, then look again")
    return 0


if __name__ == "__main__":
    program(main)
