"""The compiled Sinkhorn kernel: one problem at a time, over its real tokens, until it has converged.

The sweeps are those of ``methods/sinkhorn.py``. Rows are taken in blocks of eight: their eight sums under v are folded
into one vector, and one division gives their scalings. After some blocks their share of the column sums follows, while
they are in the nearest cache: the kernel is read from further away once a sweep, and everything is done eight cells at
a time. (In one loop for both, the compiler would shuffle u out of its register, which costs more than to load it.)
Problems are gathered by their real tokens: padding never costs a multiplication, but for what fills up the last vector
of a row and the last block.

The kernel stays in single precision at any epsilon by absorption (Schmitzer 2019, arXiv:1610.06519, section 3.1):
it holds exp((f + g - C) / epsilon) for potentials f and g in double precision, sweeps with scalings u and v that
start at one, and moves the scalings into the potentials before they leave the range of a float.
"""

import numpy as np

from optical.ot.kernels.compiled.cells import absorb
from optical.ot.kernels.compiled.jit import compiled, inlined
from optical.ot.kernels.compiled.potentials import BROKEN, SAFE, log_sweeps, scaling_range, to_potentials
from optical.ot.kernels.compiled.state import whole
from optical.ot.kernels.compiled.vector import (
    LANES,
    add,
    divide,
    larger,
    load,
    load_all,
    magnitude,
    multiply,
    multiply_add,
    smaller,
    splat,
    store,
    subtract,
    sums,
    total,
)
from optical.ot.sinkhorn.relaxation import relaxation_rule

_CHECK_SWEEPS = 4
_LOG_SWEEPS = 8
# A multiple of the block. So many rows of kernel stay in the nearest cache between their two uses.
_ROWS_AT_ONCE = 64
_TINY = np.float32(1e-35)
_ONE, _ZERO, _HALF = np.float32(1), np.float32(0), np.float32(0.5)


@inlined
def sweep_to_the_end(rule, desk, n, m):
    """Sweep until the rows are within the tolerance, or all sweeps are spent; returns their number.

    The last column update is a plain one: it leaves the columns exact, so that the row error speaks for the plan.
    """
    omega, mark, sweep = _ONE, _ZERO, 0
    while True:
        sweep += 1
        error = _row_sweep(desk, n, m, omega)
        last, within = sweep >= rule.most, error <= rule.tolerance
        done = last or (within and sweep > 1 and omega == _ONE)
        if last or within:
            omega = _ONE
        _column_sweep(desk, m, omega)
        if done:
            return sweep
        # A rate seen across a change of omega is that of the change: between a change and the mark lie four sweeps.
        # The first rate is taken for that of four sweeps, though two were made: early sweeps gain more than later ones.
        if sweep == _CHECK_SWEEPS // 2 or sweep % (2 * _CHECK_SWEEPS) == 0:
            mark = error
        if rule.relaxed and not within and sweep % (2 * _CHECK_SWEEPS) == _CHECK_SWEEPS:
            omega = np.float32(_relaxation(omega, error / mark)) if mark > 0 else _ONE
        if sweep % (2 * _CHECK_SWEEPS) == 0:
            state = scaling_range(desk, n, m)
            if state != SAFE:
                omega = _guard(rule, desk, n, m, state, omega)


@inlined
def into_range(rule, desk, n, m):
    """Bring scalings that have left the range of a float back, by a sweep in the log domain."""
    if scaling_range(desk, n, m) == BROKEN:
        log_sweeps(rule, desk, n, m, 1)
        _absorb(rule, desk, n, m)


@inlined
def _row_sweep(desk, n, m, omega):
    """u = a / K v, and sums = K^T u. Returns the row error of the plan before."""
    width, error = whole(m), splat(_ZERO)
    for c in range(0, width, LANES):
        store(desk.sums, c, splat(_ZERO))
    for start in range(0, n, _ROWS_AT_ONCE):
        stop = min(start + _ROWS_AT_ONCE, n)
        error = _scale_rows(desk, start, stop, width, omega, error)
        _sum_columns(desk, start, stop, width)
    return total(error)


@inlined
def _scale_rows(desk, start, stop, width, omega, error):
    """u = a / K v for blocks of eight rows; adds what the rows lacked to ``error``."""
    kernel, u, v = desk.kernel, desk.u, desk.v
    first = load(desk.v, 0)
    for i in range(start, stop, LANES):
        block = i * width
        s0, s1 = multiply(load(kernel, block), first), multiply(load(kernel, block + 8), first)
        s2, s3 = multiply(load(kernel, block + 16), first), multiply(load(kernel, block + 24), first)
        s4, s5 = multiply(load(kernel, block + 32), first), multiply(load(kernel, block + 40), first)
        s6, s7 = multiply(load(kernel, block + 48), first), multiply(load(kernel, block + 56), first)
        for c in range(LANES, width, LANES):
            k, x = block + LANES * c, load(v, c)
            s0, s1 = multiply_add(load(kernel, k), x, s0), multiply_add(load(kernel, k + 8), x, s1)
            s2, s3 = multiply_add(load(kernel, k + 16), x, s2), multiply_add(load(kernel, k + 24), x, s3)
            s4, s5 = multiply_add(load(kernel, k + 32), x, s4), multiply_add(load(kernel, k + 40), x, s5)
            s6, s7 = multiply_add(load(kernel, k + 48), x, s6), multiply_add(load(kernel, k + 56), x, s7)
        row_sums = sums(s0, s1, s2, s3, s4, s5, s6, s7)
        scaling, lacking = _rescaled(load(u, i), load(desk.a, i), row_sums, omega)
        error = add(error, lacking)
        store(u, i, scaling)
    return error


@inlined
def _sum_columns(desk, start, stop, width):
    """Add the part of these rows to sums = K^T u."""
    kernel, u = desk.kernel, desk.u
    for i in range(start, stop, LANES):
        u0, u1, u2, u3 = load_all(u, i), load_all(u, i + 1), load_all(u, i + 2), load_all(u, i + 3)
        u4, u5, u6, u7 = load_all(u, i + 4), load_all(u, i + 5), load_all(u, i + 6), load_all(u, i + 7)
        for c in range(0, width, LANES):
            k = i * width + LANES * c
            even, odd = multiply(load(kernel, k), u0), multiply(load(kernel, k + 8), u1)
            even, odd = multiply_add(load(kernel, k + 16), u2, even), multiply_add(load(kernel, k + 24), u3, odd)
            even, odd = multiply_add(load(kernel, k + 32), u4, even), multiply_add(load(kernel, k + 40), u5, odd)
            even, odd = multiply_add(load(kernel, k + 48), u6, even), multiply_add(load(kernel, k + 56), u7, odd)
            store(desk.sums, c, add(load(desk.sums, c), add(even, odd)))


@inlined
def _column_sweep(desk, m, omega):
    """v = b / K^T u."""
    for c in range(0, m, LANES):
        scaling, _ = _rescaled(load(desk.v, c), load(desk.b, c), load(desk.sums, c), omega)
        store(desk.v, c, scaling)


@inlined
def _rescaled(old, mass, total, omega):
    """The scaling that gives a token its mass, over-relaxed by at most a factor of two; and the mass it lacked."""
    new, lacking = divide(mass, larger(total, splat(_TINY))), magnitude(subtract(multiply(old, total), mass))
    if omega == _ONE:
        return new, lacking
    relaxed = multiply_add(splat(omega), new, multiply(splat(_ONE - omega), old))
    bounded = larger(smaller(relaxed, add(new, new)), multiply(new, splat(_HALF)))
    return bounded, lacking


@compiled
def _guard(rule, desk, n, m, state, omega):
    """Bring the scalings back to one; returns the over-relaxation to go on with."""
    if state == BROKEN:
        log_sweeps(rule, desk, n, m, _LOG_SWEEPS)
        omega = _ONE
    else:
        to_potentials(rule, desk, n, m)
    absorb(rule, desk, n, m)
    return omega


@compiled
def _absorb(rule, desk, n, m):
    """``absorb`` where it is rare: not part of the caller."""
    absorb(rule, desk, n, m)


@inlined
def _relaxation(omega, ratio):
    """The over-relaxation for the rate of convergence over the last check of four sweeps."""
    return _factor(omega, np.sqrt(np.sqrt(ratio)))  # two roots are cheaper than a power


@inlined
def _choose(condition, one, other):
    return one if condition else other


@inlined
def _least(value, bound):
    return min(value, bound)


_factor = inlined(relaxation_rule(_choose, _least, np.sqrt))
