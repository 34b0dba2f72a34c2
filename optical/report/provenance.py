"""The provenance of a report: its data, the command that repeats it, its machine and versions, its settings."""

from collections.abc import Mapping, Sequence

from optical.report.blocks import Block, Code, Fold, Heading, Paragraph, Table, Terms
from optical.report.content import DataFacts, DatasetFact, ReportContent, Work


def data(facts: DataFacts | None) -> list[Block]:
    """The sentence pairs: the data sets with their licences, and how many pairs were accepted or rejected."""
    if facts is None:
        return []
    physical = facts.accepted + sum(facts.rejects.values())
    counts = {"accepted": facts.accepted, **dict(sorted(facts.rejects.items())), "all pairs": physical}
    rows = [
        (what, f"{count:,}", f"{count / physical:.1%}" if physical else "-", facts.meanings.get(what, ""))
        for what, count in counts.items()
    ]
    header = ("sentence pairs", "count", "share", "meaning")
    return [
        Heading("Data"),
        Table(header, rows, "Every physical pair, by what became of it.", frozenset({1, 2})),
        *map(Paragraph, facts.notes),
        *([datasets_table(facts.datasets)] if facts.datasets else []),
    ]


def datasets_table(datasets: Sequence[DatasetFact]) -> Table:
    """A row for each data set, with its licence."""
    rows = [(fact.name, fact.use, fact.language, fact.size, fact.licence) for fact in datasets]
    return Table(("data set", "used for", "language", "size", "licence"), rows)


def repetition(content: ReportContent) -> list[Block]:
    """The command that repeats the run; date, machine, versions and seconds of its verbs."""
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
    """The settings that differ from the registered recipe, and all others folded."""
    rows = flatten(content.recipe)
    if content.registered is None:
        return [Heading("Settings"), Fold(f"All {len(rows)} settings", [Table(("setting", "value"), rows)])]
    changed = changed_settings(content)
    names = {row[0] for row in changed}
    left = [row for row in rows if row[0] not in names]
    first: Block = Paragraph("Every setting is the registered recipe's own.")
    if changed:
        first = Table(("changed setting", "value", "registered"), changed)
    return [Heading("Settings"), first, Fold(f"The {len(left)} other settings", [Table(("setting", "value"), left)])]


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
    """Date, machine and versions, once where all verbs share them."""
    groups: dict[tuple[str, str], list[Work]] = {}
    for part in work:
        groups.setdefault((part.machine, part.versions), []).append(part)
    blocks: list[Block] = []
    for (machine, versions), parts in groups.items():
        if len(groups) > 1:
            blocks.append(Paragraph(f"{', '.join(dict.fromkeys(part.verb for part in parts))}:"))
        finished = max(part.finished for part in parts)
        blocks.append(Terms({"Date": f"{finished} UTC", "Machine": machine, "Versions": versions}))
    return blocks
