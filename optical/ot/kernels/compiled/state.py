"""The data of the compiled kernel: a job as its threads receive it, the batch, the stopping rule, and a workspace.

C passes one address to each thread. A job is therefore a record of addresses and sizes, and every thread makes its own
arrays from them. All arrays are flat.
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
_RESULTS = ("value", "error", "iterations", "source_deviation", "target_deviation")
_SIZES = ("problems", "n", "m", "dim", "max_sweeps", "relaxed", "warm")
JOB = np.dtype(
    [(name, np.int64) for name in ("next_problem", *_ADDRESSES, *_RESULTS, *_SIZES)]
    + [("inverse_epsilon", np.float64), ("tolerance", np.float64)]
)
"""A batch and a rule (see ``Batch`` and ``Rule``). The address of an absent array is 0.

The first field is a counter that the threads share: the first problem that no thread has taken yet.
"""
_PACKED = Struct("".join(JOB[name].char for name in JOB.names))


def new_job(**fields: float | int) -> Array:
    """A job in memory, for ``work``; fields that are not given are 0."""
    return create_string_buffer(_PACKED.pack(*(fields.get(name, 0) for name in JOB.names)), JOB.itemsize)


class Batch(NamedTuple):
    """A padded batch and the arrays for its solution. A token is real where its mass is positive."""

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
    """(batch, source, target) float32; empty if it is computed from embeddings. For gradients, the plan."""
    matrix: np.ndarray
    """(batch, source, target) float32, receives the plan; empty if gradients are requested."""
    source: np.ndarray
    """(batch, source, dim) float32 embeddings, or empty."""
    target: np.ndarray
    by_source: np.ndarray
    """(batch, source, dim) float32, receives the gradient; empty if it is not requested."""
    by_target: np.ndarray
    scale: np.ndarray
    """(batch,) float32 factor of each pair's gradient; empty if the batch is to be solved."""
    f: np.ndarray
    """(batch, source) float64 potentials: on entry the start (if warm), on return the solution."""
    g: np.ndarray
    """(batch, target) float64, likewise."""
    value: np.ndarray
    """(batch,) float32, receives <P, C>."""
    error: np.ndarray
    """(batch,) float32, receives the L1 marginal error of the plan."""
    iterations: np.ndarray
    """(batch,) int64, receives the sweeps spent."""
    source_deviation: np.ndarray
    """(batch,) float32, receives the largest |s . s - 1| of the real source tokens; empty if costs are given."""
    target_deviation: np.ndarray
    """(batch,) float32, likewise."""
    next_problem: np.ndarray
    """(1,) int64, the counter of the job."""


class Rule(NamedTuple):
    """When to stop, and which sweeps to make."""

    inverse_epsilon: float
    """1 / epsilon."""
    tolerance: float
    max_sweeps: int
    relaxed: bool
    """Whether sweeps may be over-relaxed."""
    warm: bool
    """Whether the batch holds potentials to start from."""


class Workspace(NamedTuple):
    """The arrays in which a thread solves one problem: its real tokens only, with rows padded to whole vectors."""

    rows: np.ndarray
    """Positions of the real source tokens."""
    columns: np.ndarray
    f: np.ndarray
    """Source potentials that the kernel includes, in double precision."""
    g: np.ndarray
    costs: np.ndarray
    """Row by row; at the end the plan."""
    kernel: np.ndarray
    """exp((f + g - C) / epsilon), zero outside the problem, in blocks of eight rows (see ``row_offset``)."""
    a: np.ndarray
    b: np.ndarray
    u: np.ndarray
    v: np.ndarray
    sums: np.ndarray
    """K^T u."""
    row: np.ndarray
    """Temporary values of one side, in single precision; likewise ``column``."""
    column: np.ndarray


@inlined
def open_job(address):
    """The batch and the rule of the job at ``address``."""
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
        floats(job.source_deviation, size),
        floats(job.target_deviation, size),
        carray(address, 1, np.int64),
    )
    return batch, Rule(job.inverse_epsilon, job.tolerance, job.max_sweeps, job.relaxed != 0, job.warm != 0)


@compiled
def new_workspace(n, m):
    """A workspace for problems of at most ``n`` source and ``m`` target tokens."""
    height, width = round_up(n), round_up(m)
    cells, longest = height * width, max(height, width)
    return Workspace(
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
def round_up(count):
    """``count`` rounded up to a multiple of the vector length."""
    return LANES * ((count + LANES - 1) // LANES)


@inlined
def _aligned(count):
    """Zeros that start on a cache line, because a vector across two cache lines is loaded twice."""
    block = np.zeros(count + 16, np.float32)
    first = (-block.ctypes.data % 64) // 4
    return block[first : first + count]
