"""The compiled Sinkhorn kernel: one problem at a time, over its real tokens, until it has converged.

The sweeps are those of ``methods/sinkhorn.py``. Rows are processed in blocks of eight: their eight sums under v form
one vector, and one division gives their scalings. After some blocks their part of the column sums is added, while they
are still in the first-level cache. So the kernel is read from outer caches once a sweep. (A single loop for both would
make the compiler extract u from its register, which is slower than loading it.) Only real tokens are gathered: padding
costs multiplications only in the last vector of a row and in the last block.

The kernel stays in single precision at any epsilon by absorption (Schmitzer 2019, arXiv:1610.06519, section 3.1):
it holds exp((f + g - C) / epsilon) for potentials f and g in double precision, sweeps with scalings u and v that
start at one, and moves the scalings into the potentials before they leave the range of a float.
"""

import numpy as np

from optical.ot.kernels.compiled.cells import absorb
from optical.ot.kernels.compiled.jit import compiled, inlined
from optical.ot.kernels.compiled.potentials import BROKEN, SAFE, log_sweeps, scaling_range, to_potentials
from optical.ot.kernels.compiled.state import round_up
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
# Rows of the kernel that stay in the first-level cache between their two uses; a multiple of the block size.
_ROWS_IN_CACHE = 64
_TINY = np.float32(1e-35)
_ONE, _ZERO, _HALF = np.float32(1), np.float32(0), np.float32(0.5)


@inlined
def sweep_until_done(rule, workspace, n, m):
    """Sweep until the rows are within the tolerance or ``max_sweeps`` are made; return the number of sweeps.

    The last column update is not over-relaxed. It makes the columns exact, so the row error is that of the whole plan.
    """
    omega, mark, sweep = _ONE, _ZERO, 0
    while True:
        sweep += 1
        error = _row_sweep(workspace, n, m, omega)
        last, within = sweep >= rule.max_sweeps, error <= rule.tolerance
        done = last or (within and sweep > 1 and omega == _ONE)
        if last or within:
            omega = _ONE
        _column_sweep(workspace, m, omega)
        if done:
            return sweep
        # A change of omega disturbs the rate, so ``mark`` is taken four sweeps after it. The first rate is over two
        # sweeps, but counts as the rate of four: early sweeps gain more than later ones.
        if sweep == _CHECK_SWEEPS // 2 or sweep % (2 * _CHECK_SWEEPS) == 0:
            mark = error
        if rule.relaxed and not within and sweep % (2 * _CHECK_SWEEPS) == _CHECK_SWEEPS:
            omega = np.float32(_relaxation(omega, error / mark)) if mark > 0 else _ONE
        if sweep % (2 * _CHECK_SWEEPS) == 0:
            state = scaling_range(workspace, n, m)
            if state != SAFE:
                omega = _reset_scalings(rule, workspace, n, m, state, omega)


@inlined
def restore_range(rule, workspace, n, m):
    """If scalings have left the range of a float, make a sweep in the log domain and restart them at one."""
    if scaling_range(workspace, n, m) == BROKEN:
        log_sweeps(rule, workspace, n, m, 1)
        _absorb(rule, workspace, n, m)


@inlined
def _row_sweep(workspace, n, m, omega):
    """Set u = a / K v and sums = K^T u; return the row error of the plan before."""
    width, error = round_up(m), splat(_ZERO)
    for c in range(0, width, LANES):
        store(workspace.sums, c, splat(_ZERO))
    for start in range(0, n, _ROWS_IN_CACHE):
        stop = min(start + _ROWS_IN_CACHE, n)
        error = _scale_rows(workspace, start, stop, width, omega, error)
        _sum_columns(workspace, start, stop, width)
    return total(error)


@inlined
def _scale_rows(workspace, start, stop, width, omega, error):
    """Set u = a / K v for blocks of eight rows; add the error of the rows to ``error``."""
    kernel, u, v = workspace.kernel, workspace.u, workspace.v
    first = load(workspace.v, 0)
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
        scaling, missing = _rescaled(load(u, i), load(workspace.a, i), row_sums, omega)
        error = add(error, missing)
        store(u, i, scaling)
    return error


@inlined
def _sum_columns(workspace, start, stop, width):
    """Add the contribution of these rows to sums = K^T u."""
    kernel, u = workspace.kernel, workspace.u
    for i in range(start, stop, LANES):
        u0, u1, u2, u3 = load_all(u, i), load_all(u, i + 1), load_all(u, i + 2), load_all(u, i + 3)
        u4, u5, u6, u7 = load_all(u, i + 4), load_all(u, i + 5), load_all(u, i + 6), load_all(u, i + 7)
        for c in range(0, width, LANES):
            k = i * width + LANES * c
            even, odd = multiply(load(kernel, k), u0), multiply(load(kernel, k + 8), u1)
            even, odd = multiply_add(load(kernel, k + 16), u2, even), multiply_add(load(kernel, k + 24), u3, odd)
            even, odd = multiply_add(load(kernel, k + 32), u4, even), multiply_add(load(kernel, k + 40), u5, odd)
            even, odd = multiply_add(load(kernel, k + 48), u6, even), multiply_add(load(kernel, k + 56), u7, odd)
            store(workspace.sums, c, add(load(workspace.sums, c), add(even, odd)))


@inlined
def _column_sweep(workspace, m, omega):
    """Set v = b / K^T u."""
    for c in range(0, m, LANES):
        scaling, _ = _rescaled(load(workspace.v, c), load(workspace.b, c), load(workspace.sums, c), omega)
        store(workspace.v, c, scaling)


@inlined
def _rescaled(old, mass, total, omega):
    """The scaling that gives a token its mass, over-relaxed by at most a factor of two, and the error before."""
    new, missing = divide(mass, larger(total, splat(_TINY))), magnitude(subtract(multiply(old, total), mass))
    if omega == _ONE:
        return new, missing
    relaxed = multiply_add(splat(omega), new, multiply(splat(_ONE - omega), old))
    bounded = larger(smaller(relaxed, add(new, new)), multiply(new, splat(_HALF)))
    return bounded, missing


@compiled
def _reset_scalings(rule, workspace, n, m, state, omega):
    """Set the scalings to one without changing the plan; return the over-relaxation to continue with."""
    if state == BROKEN:
        log_sweeps(rule, workspace, n, m, _LOG_SWEEPS)
        omega = _ONE
    else:
        to_potentials(rule, workspace, n, m)
    absorb(rule, workspace, n, m)
    return omega


@compiled
def _absorb(rule, workspace, n, m):
    """``absorb`` as a function of its own, for a caller that rarely needs it."""
    absorb(rule, workspace, n, m)


@inlined
def _relaxation(omega, ratio):
    """The over-relaxation for the error ratio over the last four sweeps."""
    return _factor(omega, np.sqrt(np.sqrt(ratio)))  # two roots are cheaper than a power


@inlined
def _choose(condition, one, other):
    return one if condition else other


@inlined
def _least(value, bound):
    return min(value, bound)


_factor = inlined(relaxation_rule(_choose, _least, np.sqrt))
