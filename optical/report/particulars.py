"""Particulars: the part of a report that says what a number was made of, and how to make it again."""

from collections.abc import Mapping, Sequence

from optical.report.content import DataFacts, ReportContent, Work
from optical.report.render import Block, Code, Fold, Heading, Paragraph, Table, Terms


def data(facts: DataFacts | None) -> list[Block]:
    """Where the sentence pairs came from, under which licences, and what became of each."""
    if facts is None:
        return []
    physical = facts.accepted + sum(facts.rejects.values())
    counts = {"accepted": facts.accepted, **dict(sorted(facts.rejects.items())), "all pairs": physical}
    rows = [
        (what, f"{count:,}", f"{count / physical:.1%}" if physical else "-", facts.meanings.get(what, ""))
        for what, count in counts.items()
    ]
    header = ("sentence pairs", "count", "share", "meaning")
    blocks: list[Block] = [
        Heading("Data"),
        Table(header, rows, "Every physical pair, by what became of it.", frozenset({1, 2})),
        *map(Paragraph, facts.notes),
    ]
    if facts.datasets:
        sets = [(fact.name, fact.use, fact.language, fact.size, fact.licence) for fact in facts.datasets]
        blocks.append(Table(("data set", "used for", "language", "size", "licence"), sets))
    return blocks


def repetition(content: ReportContent) -> list[Block]:
    """The command that repeats the run, and when, where and with what it was made."""
    blocks: list[Block] = []
    if content.command:
        blocks += [Paragraph("This command repeats the run:"), Code(content.command)]
    if content.work:
        rows = [(work.verb, f"{work.seconds:,.1f}", work.finished) for work in content.work]
        rows.append(("all verbs", f"{sum(work.seconds for work in content.work):,.1f}", ""))
        caption = (
            "Wall-clock seconds of work in this run's folder, over all its sessions. "
            "What other runs had made already cost nothing here and is not listed."
        )
        times = Table(("verb", "seconds", "finished (UTC)"), rows, caption, frozenset({1}))
        blocks += [*_made_with(content.work), times]
    elif content.command:
        blocks.append(Paragraph("When, where and with which versions it was made is not on record."))
    return [Heading("How to repeat it"), *blocks] if blocks else []


def settings(content: ReportContent) -> list[Block]:
    """What was changed against the registered recipe, and everything else folded."""
    rows = flatten(content.recipe)
    if content.registered is None:
        return [Heading("Settings"), Fold(f"All {len(rows)} settings", [Table(("setting", "value"), rows)])]
    changed = changed_settings(content)
    named = {row[0] for row in changed}
    left = [row for row in rows if row[0] not in named]
    said: Block = Paragraph("Every setting is the registered recipe's own.")
    if changed:
        said = Table(("changed setting", "value", "registered"), changed)
    return [Heading("Settings"), said, Fold(f"The {len(left)} other settings", [Table(("setting", "value"), left)])]


def changed_settings(content: ReportContent) -> list[tuple[str, str, str]]:
    """Name, value and registered value of the settings that differ from the registered recipe."""
    mine, own = dict(flatten(content.recipe)), dict(flatten(content.registered or {}))
    names = dict.fromkeys([*mine, *own])
    return [(name, mine.get(name, "-"), own.get(name, "-")) for name in names if mine.get(name) != own.get(name)]


def flatten(values: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    """Nested settings as ``(dotted name, value)`` rows.

    >>> flatten({"train": {"seed": 0, "steps": [1, 2]}})
    [('train.seed', '0'), ('train.steps', '1, 2')]
    """
    rows = []
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            rows += flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value)) or "none"))
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows


def _made_with(work: Sequence[Work]) -> list[Block]:
    """Machine and versions, once where all verbs share them."""
    made: dict[tuple[str, str], list[str]] = {}
    for part in work:
        made.setdefault((part.machine, part.versions), []).append(part.verb)
    blocks: list[Block] = []
    for (machine, versions), verbs in made.items():
        if len(made) > 1:
            blocks.append(Paragraph(f"{', '.join(dict.fromkeys(verbs))}:"))
        finished = max(part.finished for part in work if (part.machine, part.versions) == (machine, versions))
        blocks.append(Terms({"Date": f"{finished} UTC", "Machine": machine, "Versions": versions}))
    return blocks
