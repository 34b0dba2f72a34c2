"""The summary of a campaign: the table of trials, a picture of the searched plane, the best recipe as a command."""

from dataclasses import dataclass
from pathlib import Path

from optical.artefacts import write_json, write_whole
from optical.recipe import Recipe
from optical.report.blocks import Code, Paragraph, Picture, escape_markdown, render_blocks
from optical.report.figures import INK, new_figure, save, style
from pipelines.cli.print import table
from pipelines.cli.repeat import repeat_command
from pipelines.environment import Settings
from tune.space import Point, applied

_MEASURE = (
    "Scored by dev Spearman: the rank correlation of two score lists of the held-out English sentences, that of the "
    "teacher, which reads the English sentence, and that of the student, which reads the source sentence. It compares "
    "the settings of one objective. Compare objectives, and contrastive ones above all, by `pipelines.studies "
    "objectives`, which searches a test collection."
)


@dataclass(frozen=True)
class Trial:
    """One tried recipe: its point, its steps, its last dev measure, and whether it ended, stopped or failed."""

    trial: str
    point: Point
    steps: int
    dev_spearman: float
    status: str

    def as_dict(self) -> dict:
        """The trial as one flat row; the key of a searched field is the last part of its path, if no other has it."""
        last = [path.rpartition(".")[2] for path in self.point]
        keys = [name if last.count(name) == 1 else path for name, path in zip(last, self.point, strict=True)]
        point = dict(zip(keys, self.point.values(), strict=True))
        result = {"steps": self.steps, "dev_spearman": self.dev_spearman, "status": self.status}
        return {"trial": self.trial, **point, **result}


def trials_table(trials: list[Trial]) -> str:
    """The trials as aligned text, best first."""
    names = list(map(_label, trials[0].point))
    rows = [("trial", *names, "steps", "dev Spearman", "status")]
    for trial in trials:
        point = map(_shown, trial.point.values())
        rows.append((trial.trial, *point, str(trial.steps), f"{trial.dev_spearman:.4f}", trial.status))
    return table(rows, right=range(1, len(names) + 3))


def _shown(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def best_command(recipe: Recipe, best: Trial, settings: Settings) -> str:
    """The command line that runs the best trial's recipe, with everything else that was changed for the campaign."""
    command = repeat_command(applied(recipe, best.point), settings.resources, settings.recipe)
    return command or f"no command line says this recipe: in Python, set {best.point} on {recipe.name!r}"


def write_campaign(folder: Path, recipe: Recipe, trials: list[Trial], settings: Settings) -> None:
    """Write ``trials.json``, ``report.md`` and ``trials.png`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "trials.json", [trial.as_dict() for trial in trials])
    blocks = [
        Paragraph(_MEASURE),
        Code(trials_table(trials)),
        Picture(_plot(folder / "trials.png", trials), "Trials in the searched plane"),
        Paragraph("Best recipe:"),
        Code(best_command(recipe, trials[0], settings)),
    ]
    page = f"# Campaign: {escape_markdown(recipe.name)}\n\n{render_blocks(blocks)}\n"
    write_whole(folder / "report.md", page.encode())


def _plot(path: Path, trials: list[Trial]) -> Path:
    """Trials over the first two searched fields that are numbers; over one, its height is the dev Spearman."""
    numbers = [name for name, value in trials[0].point.items() if isinstance(value, float | int)]
    first, second = (*numbers, None, None)[:2]
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    longest = max(1, *(trial.steps for trial in trials))
    across = [trial.point[first] if first else place for place, trial in enumerate(trials)]
    up = [trial.point[second] if second else trial.dev_spearman for trial in trials]
    points = axes.scatter(
        across,
        up,
        c=[trial.dev_spearman for trial in trials],
        s=[40 + 160 * trial.steps / longest for trial in trials],
        cmap="viridis",
        edgecolors="white",
    )
    axes.scatter(across[:1], up[:1], s=320, facecolors="none", edgecolors=INK)
    style(axes, "Trials (size: steps; ring: best)")
    if first:
        axes.set(xscale="log", xlabel=_label(first))
    axes.set(ylabel=_label(second) if second else "dev Spearman")
    if second:
        axes.set(yscale="log")
    figure.colorbar(points, label="dev Spearman")
    return save(figure, path)


def _label(path: str) -> str:
    return path.rpartition(".")[2].replace("_", " ")
