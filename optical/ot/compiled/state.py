"""What the compiled kernel works on: the batch, the rule for stopping, and the eight lanes."""

from typing import NamedTuple

import numpy as np

from optical.ot.compiled.jit import compiled
from optical.ot.compiled.vector import LANES

ROWS = 4
NEVER = (1 << 60) + 1


class Batch(NamedTuple):
    """A padded batch and where its solution goes. A token is real where its mass is positive."""

    cost: np.ndarray
    """(batch * source * target,) float32."""
    a: np.ndarray
    """(batch, source) float32."""
    b: np.ndarray
    """(batch, target) float32."""
    f: np.ndarray
    """(batch, source) float64: the start (if warm) on entry, what the kernel has absorbed of the solution on return."""
    g: np.ndarray
    """(batch, target) float64, likewise."""
    u: np.ndarray
    """(batch, source) float32, receives the scalings: the solution's potentials are f + epsilon log u."""
    v: np.ndarray
    """(batch, target) float32, likewise."""
    matrix: np.ndarray
    """(batch * source * target,) float32, receives the plan."""
    value: np.ndarray
    """(batch,) float64, receives <P, C>."""
    error: np.ndarray
    """(batch,) float32, receives the L1 marginal error of the plan."""
    iterations: np.ndarray
    """(batch,) int64, receives the sweeps spent."""


class Rule(NamedTuple):
    """When to stop, and how to get there."""

    inverse: float
    """1 / epsilon."""
    tolerance: float
    most: int
    """Most sweeps."""
    relaxed: bool
    """Whether sweeps may be over-relaxed."""
    warm: bool
    """Whether the batch's potentials are a start."""


class Lanes(NamedTuple):
    """What the eight lanes hold. A flat array has eight floats, one per lane, for each token or cell."""

    width: int
    """Cells in a row of ``kernel``."""
    kernel: np.ndarray
    """exp((f + g - C) / epsilon), zero outside each lane's problem."""
    u: np.ndarray
    v: np.ndarray
    sums: np.ndarray
    """K^T u."""
    left: np.ndarray
    """Source masses."""
    right: np.ndarray
    """Target masses."""
    omega: np.ndarray
    """Over-relaxation of each lane; 1 is a plain sweep, after which the row error speaks for the plan."""
    idle: np.ndarray
    """Zero for a lane at work, infinite for an empty one."""
    error: np.ndarray
    """Row error of each lane."""
    mark: np.ndarray
    """Row error of each lane when its over-relaxation was last set."""
    done: np.ndarray
    """Whether each lane's problem leaves after this sweep."""
    problem: np.ndarray
    """Position of each lane's problem in the batch, -1 when the lane is empty."""
    entered: np.ndarray
    """The sweep before the first one of each lane's problem."""
    n: np.ndarray
    m: np.ndarray
    rows: np.ndarray
    """(lane, token): positions of the real source tokens."""
    columns: np.ndarray
    """(lane, token): positions of the real target tokens."""
    f: np.ndarray
    """(lane, token): source potentials that the kernel has absorbed."""
    g: np.ndarray
    stride: int
    """Cells in a row of ``costs``: ``width``, rounded up to whole vectors."""
    costs: np.ndarray
    """One problem's real costs, row by row; a row is filled up to whole vectors with a cost that is never paid."""
    row: np.ndarray
    """Scratch of one row of cells, likewise ``right_row``, ``sum_row``."""
    right_row: np.ndarray
    sum_row: np.ndarray


@compiled
def empty_lanes(source, target):
    """Lanes for problems of at most so many tokens, all of them idle."""
    height, width = ROWS * ((source + ROWS - 1) // ROWS) * LANES, target * LANES
    stride = LANES * ((target + LANES - 1) // LANES)
    return Lanes(
        target,
        np.zeros(height * target, np.float32),
        np.zeros(height, np.float32),
        np.zeros(width, np.float32),
        np.zeros(width, np.float32),
        np.zeros(height, np.float32),
        np.zeros(width, np.float32),
        np.full(LANES, np.float32(1)),
        np.full(LANES, np.float32(np.inf)),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.float32),
        np.zeros(LANES, np.bool_),
        np.full(LANES, -1),
        np.full(LANES, NEVER),
        np.zeros(LANES, np.int64),
        np.zeros(LANES, np.int64),
        np.zeros((LANES, source), np.int64),
        np.zeros((LANES, target), np.int64),
        np.zeros((LANES, source), np.float64),
        np.zeros((LANES, target), np.float64),
        stride,
        np.zeros(source * stride, np.float32),
        np.zeros(stride, np.float32),
        np.zeros(stride, np.float32),
        np.zeros(stride, np.float32),
    )
