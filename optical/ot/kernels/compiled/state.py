"""What the compiled kernel works on: a job as its threads receive it, the batch, the rule for stopping, and a desk.

C calls a thread's work with one address. So a job is a record of addresses and sizes, and every thread makes its own
arrays of them. All arrays are flat.
"""

from ctypes import Array, create_string_buffer
from struct import Struct
from typing import NamedTuple

import numpy as np
from numba import carray

from optical.ot.kernels.compiled.jit import compiled, inlined
from optical.ot.kernels.compiled.memory import doubles, floats, integers
from optical.ot.kernels.compiled.vector import LANES

_ADDRESSES = ("a", "b", "cost", "matrix", "source", "target", "by_source", "by_target", "scale", "f", "g")
_RESULTS = ("value", "error", "iterations", "source_far", "target_far")
_SIZES = ("problems", "n", "m", "dim", "most", "relaxed", "warm")
JOB = np.dtype(
    [(name, np.int64) for name in ("waiting", *_ADDRESSES, *_RESULTS, *_SIZES)]
    + [("inverse", np.float64), ("tolerance", np.float64)]
)
"""A batch and a rule, see ``Batch`` and ``Rule``; the address of what is not there is 0.

The first field is a counter that the threads share: the first problem that none of them has taken yet.
"""
_PACKED = Struct("".join(JOB[name].char for name in JOB.names))


def new_job(**fields: float | int) -> Array:
    """A job in memory, for ``work``; fields that are not named are 0."""
    return create_string_buffer(_PACKED.pack(*(fields.get(name, 0) for name in JOB.names)), JOB.itemsize)


class Batch(NamedTuple):
    """A padded batch and where its solution goes. A token is real where its mass is positive."""

    problems: int
    n: int
    """Source tokens of a problem, padding included."""
    m: int
    dim: int
    a: np.ndarray
    """(batch, source) float32."""
    b: np.ndarray
    """(batch, target) float32."""
    cost: np.ndarray
    """(batch, source, target) float32; empty where the embeddings give it. For gradients, the plan."""
    matrix: np.ndarray
    """(batch, source, target) float32, receives the plan; empty where gradients are wanted."""
    source: np.ndarray
    """(batch, source, dim) float32 embeddings, or empty."""
    target: np.ndarray
    by_source: np.ndarray
    """(batch, source, dim) float32, receives the gradient; empty where nobody wants it."""
    by_target: np.ndarray
    scale: np.ndarray
    """(batch,) float32: what each pair's gradient is multiplied by; empty where the batch is to be solved."""
    f: np.ndarray
    """(batch, source) float64 potentials: the start (if warm) on entry, the solution on return."""
    g: np.ndarray
    """(batch, target) float64, likewise."""
    value: np.ndarray
    """(batch,) float32, receives <P, C>."""
    error: np.ndarray
    """(batch,) float32, receives the L1 marginal error of the plan."""
    iterations: np.ndarray
    """(batch,) int64, receives the sweeps spent."""
    source_far: np.ndarray
    """(batch,) float32, receives the largest |s . s - 1| of the real source tokens; empty where costs are given."""
    target_far: np.ndarray
    """(batch,) float32, likewise."""
    waiting: np.ndarray
    """(1,) int64, the job's counter."""


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


class Desk(NamedTuple):
    """Where a thread works on one problem: its real tokens alone, rows filled up to whole vectors."""

    rows: np.ndarray
    """Positions of the real source tokens."""
    columns: np.ndarray
    f: np.ndarray
    """Source potentials that the kernel has absorbed, double precision."""
    g: np.ndarray
    costs: np.ndarray
    """Row by row; in the end the plan."""
    kernel: np.ndarray
    """exp((f + g - C) / epsilon), zero outside the problem, in blocks of eight rows (see ``tile``)."""
    a: np.ndarray
    b: np.ndarray
    u: np.ndarray
    v: np.ndarray
    sums: np.ndarray
    """K^T u."""
    row: np.ndarray
    """Scratch of a side, in single precision; likewise ``column``."""
    column: np.ndarray


@inlined
def open_job(address):
    """The batch and the rule of the job at an address."""
    job = carray(address, 1, JOB)[0]
    size, n, m, dim = job.problems, job.n, job.m, job.dim
    batch = Batch(
        size,
        n,
        m,
        dim,
        floats(job.a, size * n),
        floats(job.b, size * m),
        floats(job.cost, size * n * m),
        floats(job.matrix, size * n * m),
        floats(job.source, size * n * dim),
        floats(job.target, size * m * dim),
        floats(job.by_source, size * n * dim),
        floats(job.by_target, size * m * dim),
        floats(job.scale, size),
        doubles(job.f, size * n),
        doubles(job.g, size * m),
        floats(job.value, size),
        floats(job.error, size),
        integers(job.iterations, size),
        floats(job.source_far, size),
        floats(job.target_far, size),
        carray(address, 1, np.int64),
    )
    return batch, Rule(job.inverse, job.tolerance, job.most, job.relaxed != 0, job.warm != 0)


@compiled
def empty_desk(n, m):
    """A desk for problems of at most so many tokens."""
    height, width = whole(n), whole(m)
    cells, longest = height * width, max(height, width)
    return Desk(
        np.zeros(n, np.int64),
        np.zeros(m, np.int64),
        np.zeros(height, np.float64),
        np.zeros(width, np.float64),
        _aligned(cells),
        _aligned(cells),
        _aligned(height),
        _aligned(width),
        _aligned(height),
        _aligned(width),
        _aligned(width),
        _aligned(longest),
        _aligned(longest),
    )


@inlined
def whole(count):
    """``count`` rounded up to whole vectors."""
    return LANES * ((count + LANES - 1) // LANES)


@inlined
def _aligned(count):
    """Zeros that start on a cache line: a vector across two of them is loaded twice."""
    block = np.zeros(count + 16, np.float32)
    first = (-block.ctypes.data % 64) // 4
    return block[first : first + count]
