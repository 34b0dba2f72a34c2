"""Keeps scalings in the range of a float: they are moved into the potentials, or replaced by log-domain sweeps."""

import numpy as np

from optical.ot.kernels.compiled.elementary import logarithm
from optical.ot.kernels.compiled.jit import compiled, inlined
from optical.ot.kernels.compiled.state import round_up
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
def scaling_range(workspace, n, m):
    """``SAFE``: well inside the range of a float; ``WIDE``: to be absorbed soon; ``BROKEN``: outside the range."""
    low, high, wrong = _range_of(workspace.u, n, splat(_ONE), splat(_ONE), splat(_ZERO))
    low, high, wrong = _range_of(workspace.v, m, low, high, wrong)
    lowest, highest = least(low), -least(subtract(splat(_ZERO), high))
    if total(wrong) != 0 or lowest <= 1e-30 or highest >= 1e30:
        return BROKEN
    return SAFE if lowest > 1e-10 and highest < 1e10 else WIDE


@inlined
def _range_of(scalings, count, low, high, wrong):
    """The smallest and largest values so far, and a sum that is not zero if some value is not finite."""
    for c in range(0, count, LANES):
        x = keep_first(count - c, load(scalings, c), splat(_ONE))
        low, high, wrong = smaller(x, low), larger(x, high), add(wrong, subtract(x, x))
    return low, high, wrong


@inlined
def to_potentials(rule, workspace, n, m):
    """Move the scalings into the potentials."""
    epsilon = 1 / rule.inverse_epsilon
    _absorb_side(workspace.f, workspace.u, workspace.row, n, epsilon)
    _absorb_side(workspace.g, workspace.v, workspace.column, m, epsilon)


@inlined
def _absorb_side(potentials, scalings, scratch, count, epsilon):
    for c in range(0, count, LANES):
        store(scratch, c, logarithm(load(scalings, c)))
    for i in range(count):
        potentials[i] += epsilon * scratch[i]


@compiled
def log_sweeps(rule, workspace, n, m, sweeps):
    """Sweep on the potentials in double precision by logsumexp: slow, but safe at any epsilon."""
    costs = workspace.costs[: n * round_up(m)].reshape(n, round_up(m))
    for _ in range(sweeps):
        _log_half_sweep(costs, workspace.a, workspace.f, workspace.g, n, m, rule.inverse_epsilon)
        _log_half_sweep(costs.T, workspace.b, workspace.g, workspace.f, m, n, rule.inverse_epsilon)


@inlined
def _log_half_sweep(costs, masses, own, other, count, others, inverse_epsilon):
    """Set the potentials of one side so that the plan has the mass of each of its tokens."""
    for i in range(count):
        top, total = -np.inf, 0.0
        for j in range(others):
            top = max(top, (other[j] - costs[i, j]) * inverse_epsilon)
        for j in range(others):
            total += np.exp((other[j] - costs[i, j]) * inverse_epsilon - top)
        own[i] = (np.log(np.float64(masses[i])) - top - np.log(total)) / inverse_epsilon
