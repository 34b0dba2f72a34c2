"""The canvas every plot is drawn on: one palette, one style, one way to save.

Figures are built with matplotlib's objects and the Agg canvas: no window, no global state.
"""

import io
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from optical.artefacts import write_whole

LOGGER = logging.getLogger(__name__)

# Okabe and Ito's palette, distinguishable with every common colour blindness.
GREY, BLUE, ORANGE, GREEN, PURPLE = "#9aa3ad", "#0072b2", "#d98200", "#009e73", "#b5588f"
INK, FAINT = "#24292f", "#d8dee4"
# Families tried in turn for letters the first one lacks; those not installed are skipped.
_FAMILIES = (
    "DejaVu Sans",
    *(f"Noto Sans{script}" for script in ("", " Devanagari", " Ethiopic", " Arabic", " CJK JP")),
)


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches."""
    figure = Figure(figsize=(width, height), dpi=150, facecolor="white")
    figure.set_layout_engine("constrained", w_pad=0.1, h_pad=0.1)
    return figure


def style(axes: Axes, title: str) -> None:
    """A titled panel with faint horizontal lines and nothing else."""
    axes.set_title(title, loc="left", fontsize=11, color=INK)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.spines["bottom"].set_color(FAINT)
    axes.grid(axis="y", color=FAINT, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0, labelcolor=INK)


def log_scale(axes: Axes, values: np.ndarray) -> None:
    """A logarithmic y axis with few, plain labels for positive ``values``."""
    decades = np.log10(values.max() / values.min())
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, place: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())


def say_empty(axes: Axes) -> None:
    """A panel that says it has nothing to show."""
    axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color=GREY, fontsize=11)
    axes.set_xticks([])
    axes.set_yticks([])


def save(figure: Figure, path: Path) -> Path:
    """Draw the figure into a PNG file, atomically; letters no installed font has cost one line of log."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    families = [family for family in _FAMILIES if family in installed]
    for text in figure.findobj(lambda artist: hasattr(artist, "set_fontfamily")):
        text.set_fontfamily(families)
    picture = io.BytesIO()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # Drawn on Agg's canvas whatever backend the caller's process has chosen.
        FigureCanvasAgg(figure).print_figure(picture, format="png", metadata={"Software": None})
    _report_glyphs(path, caught)
    return write_whole(path, picture.getvalue())


def _report_glyphs(path: Path, caught: Sequence[warnings.WarningMessage]) -> None:
    """One line for all letters drawn as boxes instead of a warning each; other warnings pass through."""
    glyphs = {str(warning.message) for warning in caught if str(warning.message).startswith("Glyph ")}
    if glyphs:
        LOGGER.warning(
            "letters drawn as boxes path=%s count=%d advice=install the script's Noto font", path, len(glyphs)
        )
    for warning in caught:
        if str(warning.message) not in glyphs:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
