"""The picture of a comparison: the mean of each system with its interval over topics, and a dot for each seed."""

import textwrap
from pathlib import Path

from matplotlib.ticker import MaxNLocator

from optical.evaluation.replicates import Replicates
from optical.report.figures import BLUE, FAINT, GREY, INK, new_figure, save, style

_WIDTH = 8.55
"""Inches: 1280 pixels."""
_LETTERS = 46
"""Letters of a name on one line."""
_LINE, _EDGES = 0.22, 1.1
"""Inches of a line of names, and above and below all systems."""
_DOTS = 0.42
"""How far below its interval a system has the dots of its seeds, in lines of names."""


def plot_replicates(path: Path, found: Replicates, measure: str) -> Path:
    """Draw the systems below each other, the largest mean first; the best and those tied with it are blue.

    Args:
        path: PNG file to write.
        found: the comparison; a dashed line marks its reference.
        measure: its name on the axis.
    """
    order = sorted(found.systems, key=lambda name: -found.systems[name].mean)
    names = [textwrap.fill(name, _LETTERS, subsequent_indent="  ") for name in order]
    lines = [name.count("\n") + 1 for name in names]
    # A system takes the room of its name, and of half a line between it and the next.
    places, below = [], 0.0
    for count in lines:
        places.append(below + (count + 1) / 2)
        below += count + 1
    figure = new_figure(_WIDTH, _EDGES + _LINE * below)
    axes = figure.subplots()
    for name, place in zip(order, places, strict=True):
        system, colour = found.systems[name], BLUE if name in found.best else GREY
        axes.hlines(place, system.interval.low, system.interval.high, color=colour, linewidth=2)
        if system.deviation is not None:
            below_line = [place + _DOTS] * len(system.seeds)
            axes.plot(system.seeds, below_line, "o", color="white", mec=colour, mew=1.1, markersize=5)
        axes.plot([system.mean], [place], "D", color=colour, mec="white", mew=0.6, markersize=7.5, zorder=2.5)
        # Beside the panel, where neither an interval nor the dashed line crosses a number.
        axes.annotate(
            f"{system.mean:.3f}",
            (1.0, place),
            (8, 0),
            axes.get_yaxis_transform(),
            "offset points",
            va="center",
            fontsize=10,
            color=INK,
        )
    axes.axvline(found.systems[found.reference].mean, color=INK, linewidth=0.9, linestyle=(0, (4, 3)), zorder=0)
    style(axes, "")
    axes.grid(axis="y", visible=False)
    axes.grid(axis="x", color=FAINT, linewidth=0.8)
    axes.set_yticks(places, names, fontsize=10, color=INK, parse_math=False)
    axes.set_ylim(below, 0)
    axes.margins(x=0.04)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"{measure}; dashed: {textwrap.shorten(found.reference, 60)}", color=INK, parse_math=False)
    return save(figure, path)
