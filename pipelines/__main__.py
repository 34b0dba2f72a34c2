"""``python -m pipelines <verb> <recipe> [--field value ...]``"""

import json
import logging
import sys
import traceback
from collections.abc import Callable

from optical.errors import OpticalError, UserError
from optical.evaluation.report import measures_table
from pipelines.command_line import Command, ListCommand, parse
from pipelines.session import Session
from pipelines.workspace import Workspace


def main(arguments: list[str] | None = None) -> int:
    """Run one verb; the return value is the exit code (see ``optical.errors``)."""
    return guarded(lambda given: _dispatch(*parse(given)), arguments)


def guarded(work: Callable[[list[str]], None], arguments: list[str] | None) -> int:
    """Do ``work`` on the command line's arguments; what it raises becomes one line on standard error and an exit code.

    Args:
        work: parses the arguments and does what they say.
        arguments: those of the process when None; ``--verbose`` among them logs more and shows tracebacks.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    verbose = "--verbose" in arguments
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(levelname)s %(name)s %(message)s")
    try:
        work(arguments)
    except OpticalError as error:
        if verbose:
            traceback.print_exc()
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return error.exit_code
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; the same command goes on from what is finished\n")
        return 130
    return 0


def _dispatch(verb: str, command: Command | ListCommand) -> None:
    if isinstance(command, ListCommand):
        _tell_list(command)
        return
    workspace = Workspace(command.recipe, command.settings)
    if verb == "doctor":
        _tell_doctor(workspace, command.json)
        return
    with Session(workspace) as session:
        word = "resuming" if session.resumed else "in"
        told = f"{verb} {command.recipe.name}  fingerprint {workspace.fingerprint[:12]}  {word} {session.run_dir}"
        sys.stderr.write(told + "\n")
        if verb == "run":
            _tell_run(session, command.json)
        elif verb == "evaluate":
            _tell_measures(session, command.json)
        else:
            _tell_facts(verb, _facts(verb)(session), command.json)
            if verb == "prepare" and not command.json:
                _tell_cleaning(workspace)


def _facts(verb: str) -> Callable[[Session], dict]:
    # A verb is imported when it is asked for, so that none waits for another's libraries.
    from importlib import import_module

    return getattr(import_module(f"pipelines.verbs.{verb}"), verb)


def _tell_run(session: Session, as_json: bool) -> None:
    from pipelines.verbs.run import run

    summary = run(session)
    if as_json:
        _say(json.dumps(summary.as_dict()))
        return
    if summary.systems:
        _say(measures_table(summary.systems, summary.p))
    _tell_remarks(summary.remarks)
    pairs = f"{summary.pairs:,} pairs, {sum(summary.rejected.values()):,} rejected"
    _say(f"\n{pairs}; {sum(summary.seconds.values()):.0f} s of work; {summary.report}")


def _tell_measures(session: Session, as_json: bool) -> None:
    from pipelines.verbs.evaluate import evaluate

    verdict = evaluate(session)
    measures = {name: dict(measured.mean) for name, measured in verdict.systems.items()}
    if as_json:
        told = {"fingerprint": session.workspace.fingerprint, "measures": measures, "p": verdict.p}
        _say(json.dumps(told | {"remarks": verdict.remarks}))
    else:
        _say(measures_table(verdict.systems, verdict.p))
        _tell_remarks(verdict.remarks)


def _tell_remarks(remarks: tuple[str, ...]) -> None:
    for remark in remarks:
        _say(f"note: {remark}")


def _tell_facts(verb: str, facts: dict, as_json: bool) -> None:
    if as_json:
        _say(json.dumps({"verb": verb, **facts}))
        return
    width = max(len(name) for name in facts)
    for name, value in facts.items():
        _say(f"{name:<{width}}  {value}")


def _tell_cleaning(workspace: Workspace) -> None:
    from pipelines.cleaning import cleaning_table

    _say(f"\n{cleaning_table(workspace)}")


def _tell_list(command: ListCommand) -> None:
    from pipelines.listing import as_rows, as_table, listed

    lines = listed(command.settings, command.language)
    _say(json.dumps(as_rows(lines)) if command.json else as_table(lines))


def _tell_doctor(workspace: Workspace, as_json: bool) -> None:
    from pipelines.verbs.doctor import doctor

    findings = doctor(workspace)
    bad = [finding.what for finding in findings if not finding.fine]
    if as_json:
        _say(json.dumps({finding.what: {"fine": finding.fine, "seen": finding.seen} for finding in findings}))
    else:
        width = max(len(finding.what) for finding in findings)
        for finding in findings:
            _say(f"{'ok ' if finding.fine else 'BAD'}  {finding.what:<{width}}  {finding.seen}")
    if bad:
        raise UserError("doctor", f"found fault with {', '.join(bad)}", "mend what is marked BAD, then look again")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
