"""Plots: training curves, transport plans and measures as PNG files.

Nothing shown is interpreted as mathematics or markup, because tokens may be any text.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator

from optical.errors import DataError
from optical.evaluation.canvas import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    log_scale,
    new_figure,
    save,
    say_empty,
    style,
)
from optical.evaluation.measures import MEASURES

SYSTEMS = ("zero_shot", "student_start", "student", "english_ceiling")
"""The systems every comparison shows, in the order it shows them."""

_SYSTEM_COLOURS = {"zero_shot": GREY, "student_start": GREEN, "student": BLUE, "english_ceiling": ORANGE}
_MAX_PLANS = 3
_MAX_TOKENS = 40
_MIN_COLUMNS = 4
_BAR = 2.4  # inches


@dataclass(frozen=True, eq=False)
class PlanPicture:
    """One sentence pair's transport plan, ready to be drawn.

    Args:
        source_tokens: tokens of the source sentence.
        target_tokens: tokens of the target sentence.
        plan: transported mass, shape (source, target).
        title: what stands above the picture.

    Raises:
        DataError: the plan's shape is not (source, target), or it holds a negative or non-finite mass.
    """

    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    plan: np.ndarray
    title: str

    def __post_init__(self) -> None:
        shape = (len(self.source_tokens), len(self.target_tokens))
        if np.shape(self.plan) != shape or 0 in shape:
            what = f"plan of shape {np.shape(self.plan)} for {shape[0]} source and {shape[1]} target tokens"
            raise DataError(f"plan {self.title!r}", what, "cut padding from the plan and the tokens alike")
        if not np.isfinite(self.plan).all() or np.min(self.plan) < 0:
            raise DataError(f"plan {self.title!r}", "holds mass that is negative or not finite", "check the solver")


def plot_training(path: Path, metrics: Sequence[Mapping[str, float]], title: str) -> Path:
    """Draw loss, marginal error and the dev measures over the training steps.

    Args:
        path: PNG file to write.
        metrics: rows with ``step`` and any of ``loss``, ``marginal_error``, ``dev_mrr``, ``dev_agreement``.
        title: what stands above the panels.
    """
    figure = new_figure(12.0, 3.7)
    loss, error, dev = figure.subplots(1, 3)
    steps, losses = _series(metrics, "loss")
    _draw_smoothed(loss, steps, losses, BLUE)
    style(loss, "Loss")
    steps, errors = _series(metrics, "marginal_error")
    positive = errors > 0  # a logarithmic axis has no place for an exact zero
    if positive.any():
        log_scale(error, errors[positive])
    _draw_smoothed(error, steps[positive], errors[positive], PURPLE)
    style(error, "Marginal error (L1)")
    scores = np.array([])
    for name, label, colour in (("dev_mrr", "MRR", GREEN), ("dev_agreement", "agreement", ORANGE)):
        steps, values = _series(metrics, name)
        scores = np.concatenate([scores, values])
        if len(values):
            label = f"{label}, last {values[-1]:.3f}"
            dev.plot(steps, values, color=colour, label=label, linewidth=2, marker="o", markersize=4, mec="white")
    if len(scores):
        dev.legend(frameon=False, fontsize=10, labelcolor=INK)
    style(dev, "Dev measures")
    for axes, values in ((loss, losses), (error, errors[positive]), (dev, scores)):
        axes.set_xlabel("step", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if not len(values):
            say_empty(axes)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK, parse_math=False)
    return save(figure, path)


def plot_plans(path: Path, plans: Sequence[PlanPicture]) -> Path:
    """Draw the transport plans of up to three sentence pairs side by side, each row scaled to its share.

    Args:
        path: PNG file to write.
        plans: sentence pairs; those after the third, and tokens after the fortieth, are left out.

    Raises:
        DataError: no plan at all.
    """
    if not plans:
        raise DataError(path, "no plan to draw", "give at least one sentence pair")
    shown = [_cut(picture) for picture in plans[:_MAX_PLANS]]
    longest = max(max(picture.plan.shape) for picture in shown)
    cell, size = (0.36, 10.0) if longest <= 20 else (0.27, 8.5)  # inches, points
    labels = [size / 72 * 0.62 * max(map(len, picture.source_tokens)) for picture in shown]
    widths = [cell * max(len(picture.target_tokens), _MIN_COLUMNS) for picture in shown]
    width = sum(labels) + sum(widths) + 0.4 * len(shown) + 1.0
    height = max(cell * max(len(picture.source_tokens) for picture in shown), _BAR)
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    colours = PowerNorm(0.6, vmin=0, vmax=max(_shares(picture).max() for picture in shown) or 1.0)
    left = 0.0
    for picture, label, room in zip(shown, labels, widths, strict=True):
        rows, columns = (cell * count for count in picture.plan.shape)
        axes = figure.add_axes(((left + label) / width, 1 - rows / height, columns / width, rows / height))
        image = _draw_plan(axes, picture, colours, size)
        left += label + room + 0.4
    bar = figure.colorbar(image, cax=figure.add_axes((left / width, 1 - _BAR / height, 0.14 / width, _BAR / height)))
    bar.outline.set_visible(False)
    bar.set_label("share of the source token's mass", color=INK)
    bar.ax.tick_params(which="both", length=0, labelcolor=INK)
    return save(figure, path, crop="tight")


def plot_measures(path: Path, systems: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Path:
    """Draw the measures of the systems as grouped bars with interval whiskers.

    Args:
        path: PNG file to write.
        systems: for each system and measure its mean and the interval's low and high end.

    Raises:
        DataError: no system, or one without any measure.
    """
    names = system_order(systems)
    if not names or not all(systems.values()):
        raise DataError(path, "no measures to draw", "measure at least one system")
    measures = list(dict.fromkeys(measure for name in names for measure in systems[name]))
    measures.sort(key=lambda measure: list(MEASURES).index(measure) if measure in MEASURES else len(MEASURES))
    figure = new_figure(max(6.5, 2.4 * len(measures)), 4.1)
    axes = figure.subplots()
    width = 0.82 / len(names)
    extra = iter(3 * (GREEN, PURPLE, "#56b4e9", "#f0c419"))
    for place, name in enumerate(names):
        colour = _SYSTEM_COLOURS.get(name) or next(extra, INK)
        offset = (place - (len(names) - 1) / 2) * width
        _draw_bars(axes, offset, width, [systems[name].get(measure) for measure in measures], colour, name)
    axes.set_xticks(range(len(measures)), [MEASURES.get(measure, measure) for measure in measures], fontsize=11.5)
    highest = max(high for bars in systems.values() for _, _, high in bars.values())
    axes.set_ylim(0, 1.08 * max(highest, 0.01))
    style(axes, "")
    axes.tick_params(axis="x", length=0)
    figure.legend(loc="outside upper center", ncols=len(names), frameon=False, fontsize=11, labelcolor=INK)
    return save(figure, path)


def system_order(systems: Mapping[str, object]) -> list[str]:
    """The systems' names: zero-shot, student, ceiling, then any other in the order given."""
    return [name for name in SYSTEMS if name in systems] + [name for name in systems if name not in SYSTEMS]


def _label(axes: Axes, x: float, y: float, text: str, above: float) -> None:
    """Text ``above`` points over a place in the data."""
    axes.annotate(text, (x, y), (0, above), textcoords="offset points", ha="center", fontsize=9.5, color=INK)


def _series(metrics: Sequence[Mapping[str, float]], name: str) -> tuple[np.ndarray, np.ndarray]:
    points = [(row["step"], row[name]) for row in metrics if row.get(name) is not None]
    table = np.array(points, dtype=np.float64).reshape(-1, 2)
    table = table[np.isfinite(table).all(axis=1)]
    table = table[np.argsort(table[:, 0], kind="stable")]
    return table[:, 0], table[:, 1]


def _draw_smoothed(axes: Axes, steps: np.ndarray, values: np.ndarray, colour: str) -> None:
    axes.plot(steps, values, color=colour, linewidth=0.9, alpha=0.3)
    # A line through one point would be invisible.
    axes.plot(steps, _smooth(values), color=colour, linewidth=2.2, marker="o" if len(steps) == 1 else None)


def _smooth(values: np.ndarray) -> np.ndarray:
    """Mean over a window that grows with the step, so that the steep start is not blurred away."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    places = np.arange(len(values))
    half = np.minimum(places // 8, len(values) - 1 - places)
    half = np.maximum(half, np.minimum(places, len(values) // 50))
    low, high = np.maximum(places - half, 0), np.minimum(places + half + 1, len(values))
    return (sums[high] - sums[low]) / (high - low)


def _cut(picture: PlanPicture) -> PlanPicture:
    plan = np.asarray(picture.plan, dtype=np.float64)[:_MAX_TOKENS, :_MAX_TOKENS]
    return PlanPicture(picture.source_tokens[:_MAX_TOKENS], picture.target_tokens[:_MAX_TOKENS], plan, picture.title)


def _shares(picture: PlanPicture) -> np.ndarray:
    """Each row of the plan divided by its sum; a row without mass stays zero."""
    rows = picture.plan.sum(axis=1, keepdims=True)
    return np.divide(picture.plan, rows, out=np.zeros_like(picture.plan), where=rows > 0)


def _draw_plan(axes: Axes, picture: PlanPicture, colours: PowerNorm, size: float) -> AxesImage:
    source, target = picture.source_tokens, picture.target_tokens
    image = axes.imshow(_shares(picture), cmap="Blues", norm=colours, aspect="auto", interpolation="nearest")
    letters = {"fontsize": size, "parse_math": False}
    axes.set_xticks(range(len(target)), target, rotation=60, ha="right", rotation_mode="anchor", **letters)
    axes.set_yticks(range(len(source)), source, **letters)
    axes.set_xticks(np.arange(0.5, len(target) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(source) - 1), minor=True)
    axes.grid(which="minor", color=FAINT, linewidth=0.5)
    axes.tick_params(which="both", length=0, labelcolor=INK)
    axes.spines[:].set_color(FAINT)
    axes.set_title(picture.title, fontsize=11, loc="left", color=INK, parse_math=False)
    return image


def _draw_bars(
    axes: Axes, offset: float, width: float, bars: Sequence[tuple[float, float, float] | None], colour: str, label: str
) -> None:
    drawn = [(place + offset, *bar) for place, bar in enumerate(bars) if bar is not None]
    axes.bar([bar[0] for bar in drawn], [bar[1] for bar in drawn], 0.92 * width, color=colour, label=label)
    for centre, mean, low, high in drawn:
        axes.vlines(centre, low, high, color=INK, linewidth=1.3)
        axes.hlines([low, high], centre - 0.1 * width, centre + 0.1 * width, color=INK, linewidth=1.3)
        _label(axes, centre, max(mean, high), f"{mean:.3f}", 3)
