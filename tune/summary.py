"""The summary of a campaign: the table of trials, a picture of the searched plane, the best recipe as a command."""

from dataclasses import asdict, dataclass
from pathlib import Path

from optical.artefacts import write_json, write_whole
from optical.recipe import Recipe
from optical.report.blocks import Code, Paragraph, Picture, escape_markdown, render_blocks
from optical.report.figures import INK, new_figure, save, style
from pipelines.cli.print import table
from pipelines.cli.repeat import repeat_command
from pipelines.environment import Settings
from tune.space import applied

_MEASURE = (
    "Scored by dev agreement: the share of the teacher's ten nearest held-out English sentences, searched with the "
    "English sentence, that the student also finds when it searches with the source sentence."
)


@dataclass(frozen=True)
class Trial:
    """One tried recipe: its point, how far it got, its last dev measure, and whether it ended, stopped or failed."""

    trial: str
    epsilon: float
    learning_rate: float
    steps: int
    dev_agreement: float
    status: str


def trials_table(trials: list[Trial]) -> str:
    """The trials as aligned text, best first."""
    rows = [("trial", "epsilon", "learning rate", "steps", "dev agreement", "status")]
    for trial in trials:
        point = f"{trial.epsilon:.4f}", f"{trial.learning_rate:.2e}"
        rows.append((trial.trial, *point, str(trial.steps), f"{trial.dev_agreement:.4f}", trial.status))
    return table(rows, right=range(1, 5))


def best_command(recipe: Recipe, best: Trial, settings: Settings) -> str:
    """The command line that runs the best trial's recipe, with everything else that was changed for the campaign."""
    point = {"objective.epsilon": best.epsilon, "train.learning_rate": best.learning_rate}
    command = repeat_command(applied(recipe, point), settings.resources, settings.recipe)
    return command or f"no command line says this recipe: in Python, set {point} on {recipe.name!r}"


def write_campaign(folder: Path, recipe: Recipe, trials: list[Trial], settings: Settings) -> None:
    """Write ``trials.json``, ``report.md`` and ``trials.png`` into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "trials.json", [asdict(trial) for trial in trials])
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
    figure = new_figure(6.4, 4.2)
    axes = figure.add_subplot()
    longest = max(1, *(trial.steps for trial in trials))
    epsilons = [trial.epsilon for trial in trials]
    rates = [trial.learning_rate for trial in trials]
    points = axes.scatter(
        epsilons,
        rates,
        c=[trial.dev_agreement for trial in trials],
        s=[40 + 160 * trial.steps / longest for trial in trials],
        cmap="viridis",
        edgecolors="white",
    )
    axes.scatter(epsilons[:1], rates[:1], s=320, facecolors="none", edgecolors=INK)
    style(axes, "Trials (size: steps; ring: best)")
    axes.set(xscale="log", yscale="log", xlabel="epsilon", ylabel="learning rate")
    figure.colorbar(points, label="dev agreement")
    return save(figure, path)
