"""The report: what a run gained, on one page for people and in one table for the terminal."""

from collections.abc import Mapping
from pathlib import Path

from optical.artefacts import write_whole
from optical.evaluation.measures import MEASURES, Measured
from optical.report.content import CollectionFacts, DataFacts, DatasetFact, ReportContent, TopicText, Work
from optical.report.plots import system_order
from optical.report.render import render_html, render_markdown
from optical.report.sections import build, format_p

__all__ = [
    "CollectionFacts",
    "DataFacts",
    "DatasetFact",
    "ReportContent",
    "TopicText",
    "Work",
    "measures_table",
    "write_report",
]


def write_report(folder: Path, report: ReportContent) -> Path:
    """Write ``report.html`` (self-contained), ``report.md`` and its pictures; return the HTML's path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Plans of an earlier report would stand beside this one as if they were its own.
    for old in (folder / "plans.png", *folder.glob("plan-*.svg")):
        old.unlink(missing_ok=True)
    title = f"OPTICAL: {report.recipe.get('name', 'run')}"
    blocks = build(report, folder)
    write_whole(folder / "report.md", render_markdown(title, report.fingerprint, blocks).encode())
    return write_whole(folder / "report.html", render_html(title, report.fingerprint, blocks).encode())


def measures_table(systems: Mapping[str, Measured], p: Mapping[str, float]) -> str:
    """The measures as a plain-text table with aligned columns.

    Args:
        systems: measures by system.
        p: p-value of a system's AP against ``zero_shot``, for the systems that have one.
    """
    width = max([15, *map(len, systems)])
    header = f"{'system':<{width}}  " + "  ".join(f"{name:<5}" for name in MEASURES.values()) + "   p vs zero-shot"
    lines = [header]
    for name in system_order(systems):
        cells = (f"{systems[name].mean[key]:<{max(5, len(title))}.3f}" for key, title in MEASURES.items())
        lines.append(f"{name:<{width}}  {'  '.join(cells)}   {format_p(p.get(name))}")
    return "\n".join(lines)
