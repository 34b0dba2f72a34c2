"""Transport plans as SVG: a browser finds fonts for every script and shapes them, and matplotlib does not.

A picture consists of vector text and squares. A reader can enlarge it without blur and search and copy its tokens; a
pointer over a square shows its tokens and their mass.
"""

import html
import math
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from optical.errors import DataError
from optical.report.figures import BLUE, FAINT, INK

MAX_TOKENS = 64
"""A picture shows this number of tokens of either side; its title says how many are left out."""

_LONGEST_LABEL = 24
_MANY = 40
_VISIBLE = 0.002  # shares below it would be white
_LEGEND = (0.02, 0.1, 0.25, 0.5, 1.0)
_SLOPE = math.radians(60)
_FAMILIES = "system-ui, 'Noto Sans', sans-serif"


@dataclass(frozen=True, eq=False)
class PlanPicture:
    """The transport plan of one sentence pair, and its labels.

    Args:
        source_tokens: tokens of the source sentence that take part.
        target_tokens: tokens of the target sentence that take part.
        plan: transported mass, shape (source, target).
        source_mass: mass of each source token; a partial plan moves only a part of it.
        title: states the plan's cost, its marginal error, and whether it converged.

    Raises:
        DataError: a shape does not fit the tokens, a mass is negative or not finite, or a token has none.
    """

    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    plan: np.ndarray
    source_mass: np.ndarray
    title: str

    def __post_init__(self) -> None:
        shape = (len(self.source_tokens), len(self.target_tokens))
        if np.shape(self.plan) != shape or np.shape(self.source_mass) != shape[:1] or 0 in shape:
            what = f"plan of shape {np.shape(self.plan)} for {shape[0]} source and {shape[1]} target tokens"
            raise DataError(f"plan {self.title!r}", what, "cut padding from the plan and the tokens alike")
        if not np.isfinite(self.plan).all() or np.min(self.plan) < 0 or not np.min(self.source_mass) > 0:
            raise DataError(f"plan {self.title!r}", "holds mass that is negative or not finite", "check the solver")

    @property
    def shares(self) -> np.ndarray:
        """The share of its own mass that each source token sends to each target token, shape (source, target)."""
        return self.plan / np.asarray(self.source_mass)[:, None]

    def cut(self, tokens: int = MAX_TOKENS) -> "PlanPicture":
        """The picture of the first tokens of either side; the title says how many are left out."""
        rows, columns = self.plan.shape
        if max(rows, columns) <= tokens:
            return self
        shown = f"{min(rows, tokens)} of {rows} source and {min(columns, tokens)} of {columns} target tokens"
        return replace(
            self,
            source_tokens=self.source_tokens[:tokens],
            target_tokens=self.target_tokens[:tokens],
            plan=self.plan[:tokens, :tokens],
            source_mass=self.source_mass[:tokens],
            title=f"{self.title}; the first {shown} are shown",
        )


def plan_svg(picture: PlanPicture) -> str:
    """The plan as one SVG element: a row for each source token, a column for each target token.

    The larger the share of a row's mass that goes to a column, the darker is their square. All pictures have the same
    scale. Where rows send less or more than their mass, a last column shows how much.
    """
    drawn = _Drawing(picture)
    name = html.escape(visible(picture.title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{name}" width="{drawn.width}" '
        f'height="{drawn.height}" viewBox="0 0 {drawn.width} {drawn.height}" font-size="{drawn.size}" '
        f'font-family="{_FAMILIES}" fill="{INK}">\n<rect width="100%" height="100%" fill="#fff"/>\n'
        + "\n".join(drawn.parts())
        + "\n</svg>\n"
    )


def visible(token: str) -> str:
    """A token as a label: letters that XML forbids are replaced, a leading combining mark gets a dotted circle.

    >>> visible("##\\u093f"), visible("a\\x00b"), visible(" ")
    ('##\\u25cc\\u093f', 'a\\ufffdb', '\\u2420')
    """
    letters = "".join("\ufffd" if _forbidden(letter) else letter for letter in token)
    if not letters.strip():
        return "\u2420" * max(1, len(letters))
    start = 2 if letters.startswith("##") and len(letters) > 2 else 0
    if unicodedata.category(letters[start]).startswith("M"):
        letters = f"{letters[:start]}\u25cc{letters[start:]}"
    return letters


def _forbidden(letter: str) -> bool:
    return (letter < " " and letter not in "\t\n\r") or "\ud800" <= letter <= "\udfff" or letter in "\ufffe\uffff"


class _Drawing:
    """Sizes and parts of one picture, in pixels."""

    def __init__(self, picture: PlanPicture) -> None:
        self.picture = picture
        self.shares = picture.shares
        self.rows, self.columns = self.shares.shape
        self.cell, self.size = (20, 12) if max(self.rows, self.columns) <= _MANY else (14, 11)
        moved = self.shares.sum(axis=1)
        self.moved = moved if np.abs(moved - 1).max() > 0.005 else None
        heads = [*picture.target_tokens, *(["mass sent"] if self.moved is not None else [])]
        lengths = [self._length(token) for token in heads]
        self.left = math.ceil(max(map(self._length, picture.source_tokens))) + 8
        self.top = math.ceil(max(lengths) * math.sin(_SLOPE)) + 14
        ends = [self._x(place) + self.cell + length * math.cos(_SLOPE) for place, length in enumerate(lengths)]
        self.width = max(math.ceil(max(ends)) + 8, self.left + 60 * len(_LEGEND))
        if self.moved is not None:
            self.width = max(self.width, self._x(self.columns) + 44)
        self.bottom = self.top + self.rows * self.cell
        self.height = self.bottom + 36

    def parts(self) -> Iterator[str]:
        """The squares, the grid, the labels, the legend."""
        yield f'<g fill="{BLUE}">'
        for row, column in np.argwhere(self.shares > _VISIBLE):
            yield self._square(row, column)
        yield "</g>"
        yield f'<path d="{self._grid()}" stroke="{FAINT}" fill="none"/>'
        for row, token in enumerate(self.picture.source_tokens):
            yield _text(token, f'x="{self.left - 5}" y="{self._baseline(row)}" text-anchor="end"')
        for column, token in enumerate(self.picture.target_tokens):
            yield self._head(column, token)
        if self.moved is not None:
            yield self._head(self.columns, "mass sent")
            for row, share in enumerate(self.moved):
                yield _text(f"{share:.0%}", f'x="{self._x(self.columns) + 6}" y="{self._baseline(row)}"')
        for place, share in enumerate(_LEGEND):
            x, y = self.left + 60 * place, self.bottom + 14
            yield f'<rect x="{x}" y="{y}" width="13" height="13" fill="{BLUE}" fill-opacity="{_opacity(share)}"/>'
            yield _text(f"{share:.0%}", f'x="{x + 17}" y="{y + 11}"')

    def _square(self, row: int, column: int) -> str:
        share = self.shares[row, column]
        source, target = self.picture.source_tokens[row], self.picture.target_tokens[column]
        tooltip = html.escape(f"{visible(source)} \u2192 {visible(target)}: {share:.1%}")
        return (
            f'<rect x="{self._x(column)}" y="{self.top + row * self.cell}" width="{self.cell}" height="{self.cell}" '
            f'fill-opacity="{_opacity(share)}"><title>{tooltip}</title></rect>'
        )

    def _grid(self) -> str:
        across = [f"M{self.left} {self.top + row * self.cell}H{self._x(self.columns)}" for row in range(self.rows + 1)]
        down = [f"M{self._x(column)} {self.top}V{self.bottom}" for column in range(self.columns + 1)]
        return "".join(across + down)

    def _head(self, column: int, token: str) -> str:
        x, y = self._x(column) + self.cell * 0.65, self.top - 5
        return _text(token, f'transform="translate({x:g} {y}) rotate(-60)"')

    def _x(self, column: int) -> int:
        return self.left + int(column) * self.cell

    def _baseline(self, row: int) -> float:
        return self.top + (row + 0.5) * self.cell + 0.36 * self.size

    def _length(self, token: str) -> float:
        """An estimate of the label's length: the font of the browser is unknown."""
        return self.size * sum(_em(letter) for letter in _short(token))


def _text(token: str, place: str) -> str:
    return f"<text {place}>{html.escape(_short(token))}</text>"


def _short(token: str) -> str:
    letters = visible(token)
    return letters if len(letters) <= _LONGEST_LABEL else letters[: _LONGEST_LABEL - 1] + "\u2026"


def _em(letter: str) -> float:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.64


def _opacity(share: float) -> str:
    """The square root of the share, so that a tenth of the mass stays visible."""
    return f"{min(1.0, share) ** 0.5:.2f}"
