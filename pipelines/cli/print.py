"""What commands print. ``table`` is the one printer of aligned text; the rest says what each verb found."""

# A library is imported when a verb needs it, as in ``pipelines.__main__``.
from __future__ import annotations

import json
import os
import sys
import textwrap
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from optical.evaluation.comparison import Comparison, Gain
    from optical.evaluation.measures import Measured
    from optical.evaluation.protocols.base import EvaluationConfig
    from pipelines.checks import Finding
    from pipelines.cli.listing import Listed
    from pipelines.graph.workspace import Workspace
    from pipelines.studies.page import Overview
    from pipelines.verbs.compare import Compared
    from pipelines.verbs.run import Summary

_GAP = "  "
_WIDTH = 100


def say(line: str) -> None:
    """Write a line to standard output. The reader may close it early, as ``head`` does."""
    try:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def table(
    rows: Sequence[Sequence[str]],
    right: Collection[int] = (),
    indent: str = "",
    first: int | None = None,
    width: int | None = None,
) -> str:
    """Rows of equal length as aligned columns.

    >>> print(table([("pairs", "30,782"), ("topics", "295")], right={1}))
    pairs   30,782
    topics     295

    Args:
        rows: the cells, line by line.
        right: the columns set flush right.
        indent: what every line begins with.
        first: width of the first column; a longer cell there stands on a line of its own. By default it is as wide as
            its longest cell, as every other column.
        width: characters of a line; longer cells of the last column are broken into lines. By default they are not.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if first is not None:
        widths[0] = first
    start = len(indent) + sum(size + len(_GAP) for size in widths[:-1])
    lines = []
    for row in rows:
        cells = [
            cell.rjust(size) if place in right else cell.ljust(size)
            for place, (cell, size) in enumerate(zip(row, widths, strict=True))
        ]
        head = indent + "".join(cell + _GAP for cell in cells[:-1])
        texts = [cells[-1]] if width is None else textwrap.wrap(row[-1], width - start) or [""]
        if len(head) > start:
            lines.append(head)
            head = " " * start
        lines += [(head if number == 0 else " " * start) + text for number, text in enumerate(texts)]
    return "\n".join(line.rstrip() for line in lines)


def print_run(summary: Summary, protocol: EvaluationConfig, as_json: bool) -> None:
    """The measures of a finished run, its pairs, its time and its report."""
    if as_json:
        say(json.dumps(summary.as_dict()))
        return
    _print_measures(summary, protocol)
    pairs = f"{summary.pairs:,} pairs, {sum(summary.rejected.values()):,} rejected"
    say(f"\n{pairs}; {sum(summary.seconds.values()):.0f} s of work; {summary.report}")


def print_comparison(found: Comparison, protocol: EvaluationConfig, fingerprint: str, as_json: bool) -> None:
    """The measures of an evaluation."""
    if as_json:
        measures = {name: dict(measured.mean) for name, measured in found.systems.items()}
        gains = {name: gain.as_dict() for name, gain in found.gains.items()}
        tests = {"p": found.p, "gains": gains}
        say(json.dumps({"fingerprint": fingerprint, "measures": measures, **tests, "remarks": found.remarks}))
    else:
        _print_measures(found, protocol)


def print_facts(verb: str, facts: dict, workspace: Workspace, as_json: bool) -> None:
    """The facts that a verb returns; for ``prepare`` also what became of the pairs, and the first of them."""
    if as_json:
        say(json.dumps({"verb": verb, **facts}))
        return
    # These are tables of their own.
    shown = {name: value for name, value in facts.items() if name not in ("first_pairs", "first_topics")}
    say(table([(name.replace("_", " "), in_words(value)) for name, value in shown.items()]))
    if verb == "prepare":
        from pipelines.cleaning import cleaning_table, sides_table, topics_table

        say(f"\n{cleaning_table(workspace)}\n\n{sides_table(workspace)}\n\n{topics_table(workspace)}")


def print_list(lines: Sequence[Listed], as_json: bool) -> None:
    """The registered data sets, one line each."""
    if as_json:
        say(json.dumps([asdict(line) for line in lines]))
        return
    header = ("name", "kind", "languages", "pairs", "size", "reachable", "licence")
    say(table([header, *(line.cells() for line in lines)]))


def print_findings(findings: Sequence[Finding], as_json: bool) -> None:
    """What ``doctor`` has looked at."""
    if as_json:
        say(json.dumps({finding.what: {"fine": finding.fine, "seen": finding.seen} for finding in findings}))
    else:
        say(table([("ok" if finding.fine else "BAD", finding.what, finding.seen) for finding in findings]))


def print_replicates(found: Compared, as_json: bool) -> None:
    """The comparison of finished runs, what may be concluded from it, and where its page is."""
    if as_json:
        say(json.dumps(found.as_dict()))
        return
    from optical.report.replicates import differences_table, in_words, means_table

    for made in (means_table(found.content), differences_table(found.content)):
        say(f"{table([made.header, *made.rows], made.numeric)}\n")
    for sentence in in_words(found.content):
        say("\n".join(textwrap.wrap(sentence, _WIDTH)))
    say(f"\n{found.page}")


def print_conditions(found: Overview, as_json: bool) -> None:
    """The comparisons of a study under its conditions, and where their page is."""
    if as_json:
        say(json.dumps(found.as_dict()))
        return
    from optical.report.conditions import conditions_table

    made = conditions_table(found.content)
    say(f"{table([made.header, *made.rows], made.numeric)}\n")
    say("\n".join(textwrap.wrap(made.caption, _WIDTH)))
    say(f"\n{found.page}")


def measures_table(
    systems: Mapping[str, Measured], p: Mapping[str, float], gains: Mapping[str, Gain], protocol: EvaluationConfig
) -> str:
    """The measures of each system, and its tests where there are some.

    Args:
        systems: measures by system.
        p: p-value of each system against the protocol's baseline, for the systems that have one.
        gains: of the protocol's subject over each other system; empty where the subject was not measured.
        protocol: what was compared with what.
    """
    from optical.evaluation.notation import title
    from optical.report.differences import difference_cells, difference_header

    measures = list(next(iter(systems.values())).mean)
    rows = [("system", *map(title, measures), *(f" {head}" for head in difference_header(protocol, gains)))]
    for name, measured in systems.items():
        cells = (f" {cell}" for cell in difference_cells(name, p, gains))
        rows.append((name, *(f"{measured.mean[key]:.3f}" for key in measures), *cells))
    return table(rows)


def in_words(value: object) -> str:
    """A fact as a person reads it.

    >>> in_words({"ratio": 1200, "empty": 3}), in_words(0.12345678), in_words({})
    ('ratio 1,200, empty 3', '0.1235', 'none')
    """
    if isinstance(value, dict):
        return ", ".join(f"{name} {in_words(inner)}" for name, inner in value.items()) or "none"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_measures(found: Summary | Comparison, protocol: EvaluationConfig) -> None:
    if found.systems:
        from optical.report.differences import differences_in_words

        say(measures_table(found.systems, found.p, found.gains, protocol))
        say("\n".join(textwrap.wrap(differences_in_words(protocol, found.p, found.gains), _WIDTH)))
    for remark in found.remarks:
        say(f"note: {remark}")
