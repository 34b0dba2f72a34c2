"""Transport plans as SVG: a browser finds fonts for every script and shapes them, and matplotlib does not.

A picture consists of vector text and squares. A reader can enlarge it without blur and search and copy its tokens; a
pointer over a square shows its tokens and their mass.
"""

import math
import unicodedata
from dataclasses import dataclass, replace

import numpy as np

from optical.errors import DataError
from optical.report.blocks import fill_template
from optical.report.figures import BLUE, FAINT, INK

MAX_TOKENS = 64
"""A picture shows this number of tokens of either side; its title says how many are left out."""

_LONGEST_LABEL = 24
_MANY = 40
_VISIBLE = 0.002  # shares below it would be white
_LEGEND = (0.02, 0.1, 0.25, 0.5, 1.0)
_SLOPE = math.radians(60)


@dataclass(frozen=True, eq=False)
class PlanPicture:
    """The transport plan of one sentence pair, or another alignment of its tokens, and its labels.

    Args:
        source_tokens: tokens of the source sentence that take part.
        target_tokens: tokens of the target sentence that take part.
        plan: transported mass, or the weights of another alignment, shape (source, target).
        source_mass: mass of each source token; a partial plan moves only a part of it. Of another alignment, the weight
            of the heaviest one.
        title: states the plan's cost, its marginal error, and whether it converged.
        is_transport: whether the plan solves a transport problem.

    Raises:
        DataError: a shape does not fit the tokens, a mass is negative or not finite, or a token has none.
    """

    source_tokens: tuple[str, ...]
    target_tokens: tuple[str, ...]
    plan: np.ndarray
    source_mass: np.ndarray
    title: str
    is_transport: bool = True

    def __post_init__(self) -> None:
        shape = (len(self.source_tokens), len(self.target_tokens))
        if np.shape(self.plan) != shape or np.shape(self.source_mass) != shape[:1] or 0 in shape:
            what = f"plan of shape {np.shape(self.plan)} for {shape[0]} source and {shape[1]} target tokens"
            raise DataError(f"plan {self.title!r}", what, "cut padding from the plan and the tokens alike")
        if not np.isfinite(self.plan).all() or np.min(self.plan) < 0 or not np.min(self.source_mass) > 0:
            raise DataError(f"plan {self.title!r}", "holds mass that is negative or not finite", "check the solver")

    @property
    def shares(self) -> np.ndarray:
        """The plan, as shares of the source tokens' masses, shape (source, target)."""
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
    """The plan as one SVG element: a row for each source token, a column for each target token. Sizes are in pixels.

    The larger the share of a row's mass that goes to a column, the darker is their square. All pictures have the same
    scale. Where rows send less or more than their mass, a last column shows how much; without transport it shows their
    weight as a share of the heaviest row's.
    """
    shares = picture.shares
    cell, size = (20, 12) if max(shares.shape) <= _MANY else (14, 11)
    sent = shares.sum(axis=1)
    with_sent = bool(np.abs(sent - 1).max() > 0.005)
    sources, targets = (list(map(visible, side)) for side in (picture.source_tokens, picture.target_tokens))
    of_row = "mass sent" if picture.is_transport else "weight"
    rows, heads = list(map(_short, sources)), [*map(_short, targets), *[of_row] * with_sent]
    lengths = [_length(head, size) for head in heads]
    left = math.ceil(max(_length(row, size) for row in rows)) + 8
    top = math.ceil(max(lengths) * math.sin(_SLOPE)) + 14
    xs = [left + cell * column for column in range(shares.shape[1] + 1)]
    ys = [top + cell * row for row in range(shares.shape[0] + 1)]
    ends = [left + (place + 1) * cell + length * math.cos(_SLOPE) for place, length in enumerate(lengths)]
    squares = [
        (xs[column], ys[row], _opacity(share), f"{sources[row]} \u2192 {targets[column]}: {share:.1%}")
        for (row, column), share in np.ndenumerate(shares)
        if share > _VISIBLE
    ]
    return fill_template(
        "plan.svg.j2",
        title=visible(picture.title),
        width=max(math.ceil(max(ends)) + 8, left + 60 * len(_LEGEND), xs[-1] + 44 if with_sent else 0),
        xs=xs,
        ys=ys,
        cell=cell,
        size=size,
        squares=squares,
        rows=rows,
        heads=[(f"{left + (place + 0.65) * cell:g}", head) for place, head in enumerate(heads)],
        sent=[f"{share:.0%}" for share in sent] if with_sent else [],
        legend=[(left + 60 * place, _opacity(share), f"{share:.0%}") for place, share in enumerate(_LEGEND)],
        colours={"ink": INK, "blue": BLUE, "faint": FAINT},
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


def _short(label: str) -> str:
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "\u2026"


def _length(label: str, size: int) -> float:
    """An estimate of the label's length: the font of the browser is unknown."""
    return size * sum(map(_em, label))


def _em(letter: str) -> float:
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.64


def _opacity(share: float) -> str:
    """The square root of the share, so that a tenth of the mass stays visible."""
    return f"{min(1.0, share) ** 0.5:.2f}"
