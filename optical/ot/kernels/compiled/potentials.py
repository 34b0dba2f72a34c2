"""How the scalings of the problem on the desk are kept in range: absorbed in time, or taken up in the log domain."""

import numpy as np

from optical.ot.kernels.compiled.elementary import logarithm
from optical.ot.kernels.compiled.jit import compiled, inlined
from optical.ot.kernels.compiled.state import whole
from optical.ot.kernels.compiled.vector import (
    LANES,
    add,
    keep_first,
    larger,
    least,
    load,
    smaller,
    splat,
    store,
    subtract,
    total,
)

SAFE, WIDE, BROKEN = 0, 1, 2
_ONE, _ZERO = np.float32(1), np.float32(0)


@inlined
def scaling_range(desk, n, m):
    """Whether the scalings are well inside the range of a float, should be absorbed, or have left it."""
    low, high, wrong = _range_of(desk.u, n, splat(_ONE), splat(_ONE), splat(_ZERO))
    low, high, wrong = _range_of(desk.v, m, low, high, wrong)
    lowest, highest = least(low), -least(subtract(splat(_ZERO), high))
    if total(wrong) != 0 or lowest <= 1e-30 or highest >= 1e30:
        return BROKEN
    return SAFE if lowest > 1e-10 and highest < 1e10 else WIDE


@inlined
def _range_of(scalings, count, low, high, wrong):
    """The least and the largest so far, and what is not zero once a number is not finite."""
    for c in range(0, count, LANES):
        x = keep_first(count - c, load(scalings, c), splat(_ONE))
        low, high, wrong = smaller(x, low), larger(x, high), add(wrong, subtract(x, x))
    return low, high, wrong


@inlined
def to_potentials(rule, desk, n, m):
    """Move the scalings into the potentials."""
    epsilon = 1 / rule.inverse
    _absorb_side(desk.f, desk.u, desk.row, n, epsilon)
    _absorb_side(desk.g, desk.v, desk.column, m, epsilon)


@inlined
def _absorb_side(potentials, scalings, scratch, count, epsilon):
    for c in range(0, count, LANES):
        store(scratch, c, logarithm(load(scalings, c)))
    for i in range(count):
        potentials[i] += epsilon * scratch[i]


@compiled
def log_sweeps(rule, desk, n, m, sweeps):
    """Sweeps on the potentials in double precision, by logsumexp: slow, and safe at any epsilon."""
    costs = desk.costs[: n * whole(m)].reshape(n, whole(m))
    for _ in range(sweeps):
        _log_half_sweep(costs, desk.a, desk.f, desk.g, n, m, rule.inverse)
        _log_half_sweep(costs.T, desk.b, desk.g, desk.f, m, n, rule.inverse)


@inlined
def _log_half_sweep(costs, masses, own, other, count, others, inverse):
    """One side's potentials that give its tokens their mass."""
    for i in range(count):
        top, total = -np.inf, 0.0
        for j in range(others):
            top = max(top, (other[j] - costs[i, j]) * inverse)
        for j in range(others):
            total += np.exp((other[j] - costs[i, j]) * inverse - top)
        own[i] = (np.log(np.float64(masses[i])) - top - np.log(total)) / inverse
