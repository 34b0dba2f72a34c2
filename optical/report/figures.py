"""Figures: training curves and measures as PNG files, in one palette and one style.

Figures are built from matplotlib's objects on the Agg canvas: no window, no global state. No text is interpreted as
mathematics or markup, because names may be any text.
"""

import io
import logging
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from optical.artefacts import write_whole
from optical.errors import DataError
from optical.evaluation.notation import title as measure_title

LOGGER = logging.getLogger(__name__)

# Okabe and Ito's palette, distinguishable with every common colour blindness.
GREY, BLUE, ORANGE, GREEN, PURPLE = "#9aa3ad", "#0072b2", "#d98200", "#009e73", "#b5588f"
SKY, YELLOW = "#56b4e9", "#f0c419"
INK, FAINT = "#24292f", "#d8dee4"
_SYSTEM_COLOURS = {"zero_shot": GREY, "student_start": GREEN, "student": BLUE, "english_ceiling": ORANGE}
_OTHER_COLOURS = 3 * (GREEN, PURPLE, SKY, YELLOW)
_LETTERS_PER_INCH = 6
"""Letters of names that fit into an inch of the legend of measures, beside its squares."""
# matplotlib takes each letter from the first of these families that is installed and has it.
_FAMILIES = (
    "DejaVu Sans",
    *(f"Noto Sans{script}" for script in ("", " Devanagari", " Ethiopic", " Arabic", " CJK JP")),
)


def plot_training(path: Path, metrics: Sequence[Mapping[str, float]], title: str) -> Path:
    """Draw loss, marginal error (if the objective has one) and the dev measures over the training steps.

    Args:
        path: PNG file to write.
        metrics: rows with ``step`` and any of ``loss``, ``marginal_error``, ``dev_mrr``, ``dev_spearman``. In front of
            ``marginal_error`` may be the name of a term; of several such terms the first is drawn.
        title: stands above the panels.
    """
    figure = new_figure(12.0, 3.7)
    named = (name for row in metrics for name in row if name.endswith("marginal_error"))
    error_steps, errors = _series(metrics, next(named, "marginal_error"))
    loss, *middle, dev = figure.subplots(1, 3 if len(errors) else 2)
    steps, losses = _series(metrics, "loss")
    _draw_smoothed(loss, steps, losses, BLUE)
    style(loss, "Loss")
    positive = errors > 0  # a logarithmic axis cannot show an exact zero
    for error in middle:
        if positive.any():
            _log_scale(error, errors[positive])
        _draw_smoothed(error, error_steps[positive], errors[positive], PURPLE)
        style(error, "Marginal error (L1)")
    scores = np.array([])
    for name, label, colour in (("dev_mrr", "MRR", GREEN), ("dev_spearman", "Spearman", ORANGE)):
        steps, values = _series(metrics, name)
        scores = np.concatenate([scores, values])
        if len(values):
            label = f"{label}, last {values[-1]:.3f}"
            dev.plot(steps, values, color=colour, label=label, linewidth=2, marker="o", markersize=4, mec="white")
    if len(scores):
        dev.legend(frameon=False, fontsize=10, labelcolor=INK)
    style(dev, "Dev measures")
    drawn = (losses, errors[positive], scores) if middle else (losses, scores)
    for axes, values in zip((loss, *middle, dev), drawn, strict=True):
        axes.set_xlabel("step", color=INK)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        if not len(values):
            _mark_empty(axes)
    figure.suptitle(title, x=0.01, ha="left", fontsize=13, fontweight="bold", color=INK, parse_math=False)
    return save(figure, path)


def plot_measures(path: Path, systems: Mapping[str, Mapping[str, tuple[float, float, float]]]) -> Path:
    """Draw the measures of the systems as grouped bars with interval whiskers, in the order given.

    Args:
        path: PNG file to write.
        systems: for each system and measure its mean and the interval's low and high end.

    Raises:
        DataError: no system, or one without any measure.
    """
    if not systems or not all(systems.values()):
        raise DataError(path, "no measures to draw", "measure at least one system")
    measures = list(dict.fromkeys(measure for bars in systems.values() for measure in bars))
    inches = max(6.5, max(2.4, 0.6 * len(systems)) * len(measures))
    figure = new_figure(inches, 4.1)
    axes = figure.subplots()
    width = 0.82 / len(systems)
    taken = {_SYSTEM_COLOURS.get(name) for name in systems}
    extra = (colour for colour in _OTHER_COLOURS if colour not in taken)
    for place, (name, bars) in enumerate(systems.items()):
        colour = _SYSTEM_COLOURS.get(name) or next(extra, INK)
        offset = (place - (len(systems) - 1) / 2) * width
        _draw_bars(axes, offset, width, [bars.get(measure) for measure in measures], colour, name)
    axes.set_xticks(range(len(measures)), list(map(measure_title, measures)), fontsize=11.5)
    highest = max(high for bars in systems.values() for _, _, high in bars.values())
    axes.set_ylim(0, 1.08 * max(highest, 0.01))
    style(axes, "")
    axes.tick_params(axis="x", length=0)
    fits = sum(map(len, systems)) <= _LETTERS_PER_INCH * inches
    columns = len(systems) if fits else max(1, int(_LETTERS_PER_INCH * inches / max(map(len, systems))))
    figure.legend(loc="outside upper center", ncols=columns, frameon=False, fontsize=11, labelcolor=INK)
    return save(figure, path)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure; width and height in inches."""
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    return figure


def style(axes: Axes, title: str) -> None:
    """A titled panel with faint horizontal lines and no frame."""
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=INK)


def save(figure: Figure, path: Path) -> Path:
    """Draw the figure into a PNG file, atomically; one line of the log reports letters that no installed font has."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = [family for family in _FAMILIES if family in installed]
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    picture = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # The Agg canvas draws it, whichever backend the caller's process has chosen.
        FigureCanvasAgg(figure).print_figure(picture, format="png", metadata={"Software": None})
    _report_glyphs(path, caught)
    return write_whole(path, picture.getvalue())


def _report_glyphs(path: Path, caught: Sequence[warnings.WarningMessage]) -> None:
    """One line for all letters drawn as boxes instead of a warning for each; other warnings are passed on."""
    glyphs = {str(warning.message) for warning in caught if str(warning.message).startswith("Glyph ")}
    if glyphs:
        LOGGER.warning(
            "letters drawn as boxes path=%s count=%d advice=install the script's Noto font", path, len(glyphs)
        )
    for warning in caught:
        if str(warning.message) not in glyphs:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _log_scale(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic y axis with few, plain labels for positive ``values``."""
    decades = np.log10(values.max() / values.min())
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def _mark_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=11)
    axes.set_xticks([])
    axes.set_yticks([])


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
    """Mean over a window that grows with the step, so that the steep start stays sharp."""
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
        top = centre, max(mean, high)
        axes.annotate(f"{mean:.3f}", top, (0, 3), textcoords="offset points", ha="center", fontsize=9.5, color=INK)
