"""The compiled Sinkhorn kernel: eight small problems at a time, each in a lane of its own, each stopping by itself.

The sweeps are those of ``sinkhorn.py``; what differs is the layout. Eight problems of like size lie interleaved, so
that one vector instruction serves a cell of each. When a lane's problem has converged, its plan is written and the
next problem takes the lane, so that none waits for a slower one. Problems are gathered by their real tokens: padding
never costs a multiplication. A row update is followed at once by its share of the column sums, so that the kernel
matrix is read once a sweep.

The kernel stays in single precision at any epsilon by absorption (Schmitzer 2019, arXiv:1610.06519, section 3.1):
it holds exp((f + g - C) / epsilon) for potentials f and g in double precision, sweeps with scalings u and v that
start at one, and moves the scalings into the potentials before they leave the range of a float. Over-relaxed sweeps
(Thibault et al. 2021, arXiv:1711.01851; Lehmann et al. 2022, arXiv:2012.12562) take their factor from the observed
rate of convergence, as in Young's adaptive SOR.
"""

import numpy as np

from optical.ot.compiled.cells import absorb, gather_costs
from optical.ot.compiled.jit import compiled, inlined
from optical.ot.compiled.lanes import SAFE, WIDE, enter, leave, log_sweeps, scaling_range, to_potentials
from optical.ot.compiled.state import ROWS, empty_lanes
from optical.ot.compiled.vector import (
    LANES,
    add,
    divide,
    larger,
    least,
    load,
    magnitude,
    multiply,
    multiply_add,
    smaller,
    splat,
    store,
    subtract,
)

_CHECK_SWEEPS = 4
_LOG_SWEEPS = 8
_TINY = np.float32(1e-35)
_ONE, _ZERO = np.float32(1), np.float32(0)
_MOST_RELAXED = 1.9


@compiled
def solve_many(batch, rule, chosen):
    """Solve the problems at the positions ``chosen``, in that order; neighbours should be of like size."""
    lanes = empty_lanes(batch.a.shape[1], _longest(batch.b, chosen))
    waiting = 0
    for lane in range(min(LANES, len(chosen))):
        enter(batch, rule, lanes, lane, chosen[waiting], 0)
        waiting += 1
    sweep, busy = 0, waiting
    while busy > 0:
        sweep += 1
        height, width = _most(lanes.n), _most(lanes.m)
        closest = _row_sweep(lanes, height, width)
        due = _due(lanes, sweep)
        if not due and closest > rule.tolerance and sweep < lanes.entered.min() + rule.most:
            _column_sweep(lanes, width)
            continue
        _close(lanes, rule, sweep)
        _column_sweep(lanes, width)
        for lane in range(LANES):
            if lanes.problem[lane] < 0:
                continue
            if lanes.done[lane]:
                leave(batch, rule, lanes, lane, sweep)
                busy -= 1
                if waiting < len(chosen):
                    enter(batch, rule, lanes, lane, chosen[waiting], sweep)
                    waiting, busy = waiting + 1, busy + 1
            elif (sweep - lanes.entered[lane]) % _CHECK_SWEEPS == 0:
                _guard(batch, rule, lanes, lane, sweep)


@inlined
def _longest(mass, chosen):
    """Most real tokens of the chosen problems: the tighter the lanes lie, the better they fit the cache."""
    longest = 0
    for problem in chosen:
        longest = max(longest, (mass[problem] > 0).sum())
    return longest


@inlined
def _most(counts):
    most = 0
    for lane in range(LANES):
        most = max(most, counts[lane])
    return most


@inlined
def _due(lanes, sweep):
    """Whether a lane has a check to pass: by its own count of sweeps, so that its neighbours change nothing."""
    due = False
    for lane in range(LANES):
        due |= (sweep - lanes.entered[lane]) % _CHECK_SWEEPS == 0
    return due


@inlined
def _close(lanes, rule, sweep):
    """Which lanes are done, before the column update: a last update is a plain one, and leaves the columns exact."""
    for lane in range(LANES):
        spent = sweep - lanes.entered[lane]
        last = spent >= rule.most
        within = lanes.error[lane] <= rule.tolerance
        lanes.done[lane] = last or (within and spent > 1 and lanes.omega[lane] == _ONE)
        if last or within:
            lanes.omega[lane] = _ONE


@inlined
def _row_sweep(lanes, height, width):
    """u = a / K v, four rows at a time, and sums = K^T u. Returns the least row error, of the plans before."""
    kernel, u, v, sums, left = lanes.kernel, lanes.u, lanes.v, lanes.sums, lanes.left
    omega, tiny, stride = load(lanes.omega, 0), splat(_TINY), lanes.width * LANES
    error = load(lanes.idle, 0)
    for j in range(width):
        store(sums, j * LANES, splat(_ZERO))
    for i in range(0, height, ROWS):
        r0 = i * stride
        r1, r2, r3 = r0 + stride, r0 + 2 * stride, r0 + 3 * stride
        s0, s1, s2, s3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
        for c in range(0, width * LANES, LANES):
            x = load(v, c)
            s0 = multiply_add(load(kernel, r0 + c), x, s0)
            s1 = multiply_add(load(kernel, r1 + c), x, s1)
            s2 = multiply_add(load(kernel, r2 + c), x, s2)
            s3 = multiply_add(load(kernel, r3 + c), x, s3)
        row = i * LANES
        u0, e0 = _rescaled(load(u, row), load(left, row), s0, omega, tiny)
        u1, e1 = _rescaled(load(u, row + LANES), load(left, row + LANES), s1, omega, tiny)
        u2, e2 = _rescaled(load(u, row + 2 * LANES), load(left, row + 2 * LANES), s2, omega, tiny)
        u3, e3 = _rescaled(load(u, row + 3 * LANES), load(left, row + 3 * LANES), s3, omega, tiny)
        store(u, row, u0)
        store(u, row + LANES, u1)
        store(u, row + 2 * LANES, u2)
        store(u, row + 3 * LANES, u3)
        error = add(error, add(add(e0, e1), add(e2, e3)))
        for c in range(0, width * LANES, LANES):
            total = multiply_add(load(kernel, r0 + c), u0, load(sums, c))
            total = multiply_add(load(kernel, r1 + c), u1, total)
            total = multiply_add(load(kernel, r2 + c), u2, total)
            store(sums, c, multiply_add(load(kernel, r3 + c), u3, total))
    store(lanes.error, 0, error)
    return least(error)


@inlined
def _column_sweep(lanes, width):
    """v = b / K^T u."""
    omega, tiny = load(lanes.omega, 0), splat(_TINY)
    for c in range(0, width * LANES, LANES):
        scaling, _ = _rescaled(load(lanes.v, c), load(lanes.right, c), load(lanes.sums, c), omega, tiny)
        store(lanes.v, c, scaling)


@inlined
def _rescaled(old, mass, total, omega, tiny):
    """The scaling that gives a token its mass, over-relaxed by at most a factor of two; and the mass it lacked."""
    new = divide(mass, larger(total, tiny))
    relaxed = multiply_add(omega, subtract(new, old), old)
    bounded = larger(smaller(relaxed, add(new, new)), multiply(new, splat(np.float32(0.5))))
    return bounded, magnitude(subtract(multiply(old, total), mass))


@compiled
def _guard(batch, rule, lanes, lane, sweep):
    """Keep a lane's scalings in range, and set its over-relaxation."""
    mark, error = lanes.mark[lane], lanes.error[lane]
    lanes.mark[lane] = error
    # A rate seen across a change of omega is that of the change: omega moves at every second check only.
    if (sweep - lanes.entered[lane]) // _CHECK_SWEEPS % 2 == 1:
        return
    if rule.relaxed:
        lanes.omega[lane] = np.float32(_relaxation(lanes.omega[lane], error / mark)) if mark > 0 and error > 0 else _ONE
    state = scaling_range(lanes, lane)
    if state == SAFE:
        return
    gather_costs(batch, lanes, lane)
    if state == WIDE:
        to_potentials(rule, lanes, lane)
    else:
        log_sweeps(rule, lanes, lane, _LOG_SWEEPS)
        lanes.omega[lane] = _ONE
    absorb(rule, lanes, lane)


@inlined
def _relaxation(omega, ratio):
    """The over-relaxation for the rate of convergence seen over the last check (Young's estimate of the plain rate)."""
    rate = ratio ** (1 / _CHECK_SWEEPS)
    if rate >= 1:
        return 1 + (omega - 1) / 2
    if rate <= omega - 1 + 1e-3:
        return omega
    plain_rate = min((rate + omega - 1) ** 2 / (rate * omega * omega), 0.9999)
    return min(2 / (1 + np.sqrt(1 - plain_rate)), _MOST_RELAXED)
