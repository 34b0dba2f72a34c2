"""The comparison of systems over seeds as a page, a LaTeX table and a picture."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import write_whole
from optical.evaluation.notation import meaning, title
from optical.evaluation.replicates import Replicates
from optical.evaluation.significance import SIGNIFICANT
from optical.report.blocks import Block, Heading, Paragraph, Picture, Table, Terms, write_page
from optical.report.differences import format_p
from optical.report.intervals import plot_replicates
from optical.report.latex import latex_table

_NONE = "-"


@dataclass(frozen=True, kw_only=True)
class ReplicatesContent:
    """Everything that the page of a comparison shows."""

    found: Replicates
    """The comparison, on the tested measure."""
    measure: str
    """The tested measure."""
    means: Mapping[str, Mapping[str, float]]
    """The mean of every measure over topics and seeds, by system."""
    unreplicated: Sequence[str]
    """The systems that a training has made and that were measured with one seed."""
    chosen: bool
    """Whether the reference was chosen as the strongest of the systems that no training has a part in."""
    resamples: int
    """Of the bootstrap and of the randomisation test."""
    collection: str
    """Name of the test collection."""
    fingerprint: str
    """Identity of the comparison."""
    settings: Table | None = None
    """The settings in which the runs differ."""
    runs: Table | None = None
    """The runs of each system."""
    more: Sequence[Block] = ()
    """What the page shows besides, at its end."""

    @property
    def order(self) -> list[str]:
        """The systems, the largest mean first."""
        return sorted(self.found.systems, key=lambda name: -self.found.systems[name].mean)


def write_comparison(folder: Path, content: ReplicatesContent) -> Path:
    """Write ``comparison.html``, ``.md`` and ``.png``, and ``table.tex``; return the path of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    picture = plot_replicates(folder / "comparison.png", content.found, title(content.measure))
    write_whole(folder / "table.tex", latex_comparison(content).encode())
    heading = f"Comparison on {content.collection}"
    return write_page(folder / "comparison.html", heading, content.fingerprint, list(_blocks(content, picture)))


def means_table(content: ReplicatesContent) -> Table:
    """The mean of each system with its interval over topics and its spread over seeds."""
    found, others = content.found, [name for name in next(iter(content.means.values())) if name != content.measure]
    own = ("system", "best", "seeds", title(content.measure), "interval", "sd", "lowest", "highest")
    rows = []
    for name in content.order:
        system = found.systems[name]
        spread = (min(system.seeds), max(system.seeds)) if system.deviation is not None else (None, None)
        cells = [_number(system.mean), _ends(system.interval.low, system.interval.high), _number(system.deviation, 4)]
        rest = [_number(content.means[name][other]) for other in others]
        seeds = str(len(system.seeds)) if system.deviation is not None or name in content.unreplicated else _NONE
        rows.append((name, _place(found, name), seeds, *cells, *map(_number, spread), *rest))
    header = (*own, *map(title, others))
    return Table(header, rows, _means_in_words(content), frozenset(range(2, len(header))))


def differences_table(content: ReplicatesContent) -> Table:
    """The difference of each system to the reference, and its tests."""
    found = content.found
    header = ("system", "difference", "interval", "p", "p of t", "d_z", "wins", "ties", "losses")
    rows = []
    for name in content.order:
        if one := found.differences.get(name):
            ends = _ends(one.interval.low, one.interval.high, "+")
            tests = (format_p(one.p), format_p(one.p_t), _number(one.effect, 2, "+"))
            rows.append((name, _number(one.mean, 3, "+"), ends, *tests, *map(str, (one.wins, one.ties, one.losses))))
    return Table(header, rows, f"{title(content.measure)} minus that of {found.reference}.", frozenset(range(1, 9)))


def in_words(content: ReplicatesContent) -> list[str]:
    """What may be concluded: the best systems, the rule behind that word, the reference, and what the tests leave out.

    The first sentence states the result.
    """
    found, name = content.found, title(content.measure)
    first, *tied = found.best
    said = f"{first} has the largest {name}, {found.systems[first].mean:.3f}"
    said += f"; tied with it: {', '.join(tied)}." if tied else ", and no other is tied with it."
    if found.yardsticks:
        said += f" Not counted here, for it reads English translations by people: {', '.join(found.yardsticks)}."
    rule = (
        f"Two systems are tied unless the p-value of their paired randomisation test, corrected by Holm over all "
        f"{found.pairs} pair(s) of systems, is below {SIGNIFICANT}. Nothing else makes a system better here. Tied "
        "systems need not be equal: these topics do not tell them apart."
    )
    return [said, rule, _reference(content), *_left_out(content)]


def latex_comparison(content: ReplicatesContent) -> str:
    """The comparison as a LaTeX table (booktabs); the best system and those tied with it are bold."""
    found, name = content.found, title(content.measure)
    header = ("System", "Seeds", name, "SD", "Difference", "95\\,\\% interval", "$p$", "$p_t$", "$d_z$", "W/T/L")
    rows = []
    for system in content.order:
        one, own = found.differences.get(system), found.systems[system]
        many = own.deviation is not None or system in content.unreplicated
        cells = [str(len(own.seeds)) if many else _NONE, _number(own.mean), _number(own.deviation, 4)]
        if one:
            cells += [_number(one.mean, 3, "+"), _ends(one.interval.low, one.interval.high, "+")]
            cells += [format_p(one.p), format_p(one.p_t), _number(one.effect, 2, "+")]
            cells.append(f"{one.wins}/{one.ties}/{one.losses}")
        rows.append((system, *cells, *[_NONE] * (9 - len(cells))))
    caption = (
        f"{name} on {content.collection}, {found.topics} topics; values are averaged over seeds on each topic. "
        f"Differences are to {found.reference}. p: paired randomisation test ({content.resamples:,} sign assignments, "
        f"or all where few topics differ); p_t: paired t test; each Holm-corrected over all {found.pairs} pair(s) of "
        "systems, that of t over those that have one. d_z: mean of the differences of the topics by their standard "
        "deviation. SD: standard deviation over seeds. Intervals: 95 % bootstrap over topics. Bold: the best "
        f"system and all that are tied with it (p not below {SIGNIFICANT})."
    )
    if content.unreplicated:
        caption += f" One training, so that its spread is unknown: {', '.join(content.unreplicated)}."
    return latex_table(header, rows, caption, "tab:comparison", bold=[content.order.index(best) for best in found.best])


def _blocks(content: ReplicatesContent, picture: Path) -> Iterator[Block]:
    first, *others = in_words(content)
    yield Paragraph(first, lead=True)
    yield from map(Paragraph, others)
    yield Heading("Means")
    yield means_table(content)
    caption = f"Mean {title(content.measure)} with its 95 % interval over topics; a small dot is the mean of one seed."
    yield Picture(picture, f"{caption} Blue: the best system and all that are tied with it.")
    yield Heading(f"Differences to {content.found.reference}")
    yield differences_table(content)
    yield Terms(_definitions(content))
    for heading, table in (("What the runs differ in", content.settings), ("Runs", content.runs)):
        if table and table.rows:
            yield from (Heading(heading), table)
    yield from content.more


def _means_in_words(content: ReplicatesContent) -> str:
    return (
        f"Means over {content.found.topics} topics of values that are averaged over seeds on each topic; a topic "
        "without results counts 0."
    )


def _reference(content: ReplicatesContent) -> str:
    found, name = content.found, title(content.measure)
    said = f"Differences are to {found.reference}."
    if content.chosen:
        said += f" It was chosen because its {name} is the largest of the systems that no training here has a part in."
    return f"{said} All pairs are corrected together, so the choice of a reference makes no p-value too small."


def _left_out(content: ReplicatesContent) -> Iterator[str]:
    """What the tests do not cover."""
    yield (
        f"The tests take the {content.found.topics} topics as a sample and the trainings as they are: they say what "
        "other topics would show, and not what other trainings would show."
    )
    if names := content.unreplicated:
        one = len(names) == 1
        yield (
            f"One seed was measured of {', '.join(names)}: how far {'its' if one else 'their'} "
            f"{title(content.measure)} changes from training to training is unknown, and a difference may come from "
            "the seed, also where p is small."
        )


def _definitions(content: ReplicatesContent) -> dict[str, str]:
    name, found = title(content.measure), content.found
    holm = f"corrected by Holm over all {found.pairs} pair(s) of systems"
    return {
        name: f"{meaning(content.measure)}.",
        "best": f"best: the largest {name}; tied: not significantly different from it.",
        "seeds": "the number of trainings that are averaged; - where no seed changes the system.",
        "interval": f"holds 95 % of {content.resamples:,} means over topics drawn with replacement. It is not "
        "corrected for the number of comparisons, and says nothing about seeds.",
        "sd, lowest, highest": f"standard deviation (n - 1), smallest and largest {name} over seeds; - with one seed.",
        "p": "two-sided paired randomisation test over topics (every assignment of signs where few topics differ, else "
        f"{content.resamples:,} random ones), {holm}.",
        "p of t": f"two-sided paired t test over topics, {holm} that have one; - where all topics differ alike.",
        "d_z": "Cohen's effect size: the mean of the differences of the topics divided by their standard deviation "
        "(n - 1).",
        "wins, ties, losses": f"topics on which the system is better than, equal to, and worse than {found.reference}.",
    }


def _place(found: Replicates, name: str) -> str:
    if name not in found.best:
        return ""
    return "best" if name == found.best[0] else "tied"


def _number(value: float | None, digits: int = 3, sign: str = "") -> str:
    if value is None:
        return _NONE
    # Adding zero turns the negative zero of a rounded difference into zero.
    return f"{round(value, digits) + 0.0:{sign}.{digits}f}"


def _ends(low: float, high: float, sign: str = "") -> str:
    return f"{_number(low, 3, sign)} to {_number(high, 3, sign)}"
