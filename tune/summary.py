"""The summary of a campaign: the table of trials, a picture of the searched plane, the best recipe and its test."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import write_json, write_whole
from optical.evaluation.comparison import Comparison
from optical.evaluation.notation import title
from optical.recipe import Recipe
from optical.report.blocks import Block, Code, Paragraph, Picture, escape_markdown, render_blocks
from optical.report.figures import INK, new_figure, save, style
from pipelines.cli.print import table
from pipelines.cli.repeat import repeat_command
from pipelines.environment import Settings
from tune.plan import Ranked
from tune.space import Point, applied

BEST_RECIPE = "best.json"
_MEASURE = (
    "Scored by dev Spearman: the rank correlation of two score lists of the held-out English sentences, that of the "
    "teacher, which reads the English sentence, and that of the student, which reads the source sentence. It compares "
    "the settings of one objective. Compare objectives, and contrastive ones above all, by `pipelines.studies "
    "objectives`, which searches a test collection."
)
_RUNGS = (
    "On the first rung a trial is trained for few steps, with a learning rate that falls to zero at their end. The "
    "best trials go on to the next rung, a longer training. Values of one rung are comparable, those of two are not."
)


@dataclass(frozen=True)
class Summary:
    """What a campaign has found.

    Args:
        recipe: of the campaign.
        settings: of its runs.
        points: of every trial.
        ranked: the trials, the best first.
        tested: the runs of the best trial, one for each seed, with what they measure on the test collection.
    """

    recipe: Recipe
    settings: Settings
    points: Sequence[Point]
    ranked: Sequence[Ranked]
    tested: Sequence[tuple[Path, Comparison]] = ()

    @property
    def best(self) -> Recipe:
        """The best recipe, with the first seed."""
        return applied(self.recipe, self.points[self.ranked[0].trial])

    def as_dict(self) -> dict:
        """The campaign as plain values."""
        subject = self.recipe.evaluation.subject
        tests = [{"run": run.name, "measures": found.systems[subject].mean} for run, found in self.tested]
        return {"trials": [self.row(one) for one in self.ranked], "test": tests}

    def row(self, one: Ranked) -> dict:
        """A trial as one flat row; the key of a searched field is the last part of its path, if no other has it."""
        point = self.points[one.trial]
        state = "failed" if one.reason else "finalist" if one.devs else "stopped"
        measured = {"rung": one.rung, "dev_spearman": None if math.isnan(one.dev) else one.dev, "state": state}
        return {"trial": one.trial, **dict(zip(_names(point), point.values(), strict=True)), **measured} | {
            "seeds": list(one.devs),
            "reason": one.reason,
        }


def trials_table(summary: Summary) -> str:
    """The trials as aligned text, best first."""
    rows = [summary.row(one) for one in summary.ranked]
    names = ["trial", *_names(summary.points[0])]
    lines = [(*(name.replace("_", " ") for name in names), "rung", "dev Spearman", "each seed", "state")]
    for row in rows:
        dev = "-" if row["dev_spearman"] is None else f"{row['dev_spearman']:.4f}"
        seeds = " ".join(f"{value:.4f}" for value in row["seeds"]) or "-"
        lines.append((*(_shown(row[name]) for name in names), str(row["rung"] + 1), dev, seeds, row["state"]))
    failed = [f"trial {row['trial']} failed: {row['reason']}" for row in rows if row["reason"]]
    return "\n".join([table(lines, right=range(len(names) + 2)), *failed])


def tested_table(summary: Summary) -> str:
    """What the best recipe's students measure on the test collection, seed by seed, with 95 % intervals over topics."""
    subject = summary.recipe.evaluation.subject
    measures = list(summary.tested[0][1].systems[subject].mean)
    lines = [("run", *map(title, measures))]
    for run, found in summary.tested:
        cells = []
        for name in measures:
            ends = found.intervals[subject][name]
            cells.append(f"{found.systems[subject].mean[name]:.3f} ({ends.low:.3f} to {ends.high:.3f})")
        lines.append((run.name, *cells))
    return table(lines)


def best_command(summary: Summary) -> str:
    """The command line that runs the best recipe, whose student is there already."""
    settings = summary.settings
    command = repeat_command(summary.best, settings.resources, settings.recipe)
    if command is None:
        folder = settings.runs_dir / (settings.run_name or "")
        command = f"python -m pipelines run --recipe {folder / 'report' / BEST_RECIPE}"
    return command


def write_summary(folder: Path, summary: Summary) -> None:
    """Write ``trials.json``, ``best.json`` (a recipe for ``--recipe``), ``report.md`` and ``trials.png``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "trials.json", summary.as_dict())
    write_json(folder / BEST_RECIPE, {"recipe": summary.best.as_dict()})
    blocks = [
        Paragraph(f"{_MEASURE} {_RUNGS}"),
        Code(trials_table(summary)),
        Picture(_plot(folder / "trials.png", summary), "Trials in the searched plane"),
        *(_tested_blocks(summary) if summary.tested else ()),
        Paragraph("Best recipe:"),
        Code(best_command(summary)),
    ]
    page = f"# Campaign: {escape_markdown(summary.recipe.name)}\n\n{render_blocks(blocks)}\n"
    write_whole(folder / "report.md", page.encode())


def _tested_blocks(summary: Summary) -> list[Block]:
    return [Paragraph("The best recipe on the test collection, which decided nothing:"), Code(tested_table(summary))]


def _names(point: Point) -> list[str]:
    """The last part of each field's path, or the whole path where another field has the same last part."""
    last = [path.rpartition(".")[2] for path in point]
    return [name if last.count(name) == 1 else path for name, path in zip(last, point, strict=True)]


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plot(path: Path, summary: Summary) -> Path:
    """Trials over the first two searched fields that are numbers; over one, its height is the dev Spearman."""
    trials = [one for one in summary.ranked if not one.reason]
    points = [summary.points[one.trial] for one in trials]
    numbers = [
        name for name, value in points[0].items() if isinstance(value, float | int) and not isinstance(value, bool)
    ]
    first, second = (*numbers, None, None)[:2]
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    across = [point[first] if first else place for place, point in enumerate(points)]
    up = [point[second] if second else one.dev for point, one in zip(points, trials, strict=True)]
    drawn = axes.scatter(
        across,
        up,
        c=[one.dev for one in trials],
        s=[60 + 80 * one.rung for one in trials],
        cmap="viridis",
        edgecolors="white",
    )
    axes.scatter(across[:1], up[:1], s=320, facecolors="none", edgecolors=INK)
    style(axes, "Trials (size: rung; ring: best)")
    if first:
        axes.set(xscale="log", xlabel=_label(first))
    axes.set(ylabel=_label(second) if second else "dev Spearman")
    if second:
        axes.set(yscale="log")
    figure.colorbar(drawn, label="dev Spearman of the last rung")
    return save(figure, path)


def _label(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")
