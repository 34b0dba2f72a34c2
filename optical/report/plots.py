"""Plots: training curves and measures as PNG files.

Nothing shown is interpreted as mathematics or markup, because names may be any text.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from optical.errors import DataError
from optical.evaluation.measures import MEASURES
from optical.report.canvas import BLUE, GREEN, GREY, INK, ORANGE, PURPLE, log_scale, new_figure, save, say_empty, style

SYSTEMS = ("zero_shot", "student_start", "student", "english_ceiling")
"""The systems every comparison shows, in the order it shows them."""

_SYSTEM_COLOURS = {"zero_shot": GREY, "student_start": GREEN, "student": BLUE, "english_ceiling": ORANGE}


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


def _draw_bars(
    axes: Axes, offset: float, width: float, bars: Sequence[tuple[float, float, float] | None], colour: str, label: str
) -> None:
    drawn = [(place + offset, *bar) for place, bar in enumerate(bars) if bar is not None]
    axes.bar([bar[0] for bar in drawn], [bar[1] for bar in drawn], 0.92 * width, color=colour, label=label)
    for centre, mean, low, high in drawn:
        axes.vlines(centre, low, high, color=INK, linewidth=1.3)
        axes.hlines([low, high], centre - 0.1 * width, centre + 0.1 * width, color=INK, linewidth=1.3)
        _label(axes, centre, max(mean, high), f"{mean:.3f}", 3)
