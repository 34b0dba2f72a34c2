"""Comparisons under several conditions beside each other: the overview of a study, as a page and a picture."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from optical.evaluation.notation import title
from optical.evaluation.replicates import Replicates
from optical.evaluation.significance import SIGNIFICANT
from optical.report.blocks import Block, Heading, Paragraph, Picture, Table, write_page
from optical.report.figures import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, SKY, YELLOW, new_figure, save, style

_NONE = "-"
_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, YELLOW, GREY, INK)
_MARKERS = "osD^vPX*"
_SPREAD = 0.6
"""The width that the systems of a condition share, of the distance between two conditions."""


@dataclass(frozen=True, kw_only=True)
class ConditionsContent:
    """Everything that the overview shows."""

    found: Mapping[str, Replicates]
    """The comparison under each condition."""
    pages: Mapping[str, Path]
    """The page of each condition, relative to the folder of the overview."""
    measure: str
    """The tested measure."""
    collections: tuple[str, ...]
    """Names of the test collections, each once."""
    fingerprint: str
    """Identity of the overview."""
    said: str = ""
    """What the study asks and what it took."""

    @property
    def systems(self) -> list[str]:
        """All systems, in the order of their first condition."""
        return list(dict.fromkeys(name for one in self.found.values() for name in one.systems))


def write_conditions(folder: Path, content: ConditionsContent) -> Path:
    """Write ``comparison.html``, ``.md`` and ``.png`` into the folder; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = _plot(folder / "comparison.png", content)
    heading = f"Conditions on {', '.join(content.collections)}"
    return write_page(folder / "comparison.html", heading, content.fingerprint, list(_blocks(content, picture)))


def conditions_table(content: ConditionsContent) -> Table:
    """The mean of each system under each condition, and on which side of the condition's reference it stands."""
    rows = [
        (condition, str(found.topics), *(_cell(found, name) for name in content.systems))
        for condition, found in content.found.items()
    ]
    header = ("condition", "topics", *content.systems)
    return Table(header, rows, _caption(content), frozenset(range(1, len(header))))


def _blocks(content: ConditionsContent, picture: Path) -> Iterator[Block]:
    if content.said:
        yield Paragraph(content.said)
    yield conditions_table(content)
    yield Picture(picture, f"Mean {title(content.measure)} by condition, with its 95 % interval over topics.")
    yield Heading("The best under each condition")
    best = [(condition, ", ".join(found.best)) for condition, found in content.found.items()]
    yield Table(("condition", "best, and tied with it"), best)
    yield Heading("The page of each condition")
    yield Table(("condition", "page"), [(condition, str(page)) for condition, page in content.pages.items()])


def _caption(content: ConditionsContent) -> str:
    references = ", ".join(dict.fromkeys(found.reference for found in content.found.values()))
    return (
        f"Mean {title(content.measure)} over topics of values that are averaged over seeds. + and \u2212: "
        f"significantly above and below the reference ({references}), by a paired randomisation test over topics, "
        f"p below {SIGNIFICANT} after Holm's correction over all pairs of systems under that condition; conditions "
        "are not corrected together. -: not measured."
    )


def _cell(found: Replicates, name: str) -> str:
    if name not in found.systems:
        return _NONE
    difference = found.differences.get(name)
    side = ("+" if difference.mean > 0 else "\u2212") if difference and difference.significant else ""
    return f"{found.systems[name].mean:.3f} {side}".rstrip()


def _plot(path: Path, content: ConditionsContent) -> Path:
    systems, conditions = content.systems, list(content.found)
    figure = new_figure(max(8.5, 1.4 * len(conditions)), 4.6)
    axes = figure.subplots()
    for number, name in enumerate(systems):
        offset = _SPREAD * ((number + 0.5) / len(systems) - 0.5)
        colour, marker = _COLOURS[number % len(_COLOURS)], _MARKERS[number % len(_MARKERS)]
        label: str | None = name
        for place, condition in enumerate(conditions):
            if system := content.found[condition].systems.get(name):
                at = place + offset
                axes.vlines(at, system.interval.low, system.interval.high, color=colour, linewidth=1.3, alpha=0.6)
                axes.plot([at], [system.mean], marker, color=colour, markersize=6, label=label)
                label = None
    style(axes, "")
    axes.set_ylabel(title(content.measure), color=INK, parse_math=False)
    axes.set_xticks(range(len(conditions)), conditions, fontsize=10, color=INK, parse_math=False)
    axes.set_xlim(-0.5, len(conditions) - 0.5)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize=10, labelcolor=INK)
    return save(figure, path)
