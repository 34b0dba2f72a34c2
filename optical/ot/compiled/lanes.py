"""How a problem enters one of the eight lanes, keeps its scalings in range, and leaves."""

import numpy as np

from optical.ot.compiled.cells import absorb, gather_costs, start_potentials, write_plan
from optical.ot.compiled.jit import compiled, inlined
from optical.ot.compiled.state import NEVER
from optical.ot.compiled.vector import LANES, put

SAFE, WIDE, BROKEN = 0, 1, 2
_ONE, _ZERO = np.float32(1), np.float32(0)


@compiled
def enter(batch, rule, lanes, lane, problem, sweep):
    """Put a problem into a lane after ``sweep`` sweeps."""
    a, b = batch.a[problem], batch.b[problem]
    old_n, old_m = lanes.n[lane], lanes.m[lane]
    n, m = _real(a, lanes.rows[lane]), _real(b, lanes.columns[lane])
    for i in range(old_n):
        for j in range(m if i < n else 0, old_m):
            put(lanes.kernel, (i * lanes.width + j) * LANES + lane, _ZERO)
    _place(a, lanes.rows[lane], n, old_n, lane, lanes.left, lanes.u)
    _place(b, lanes.columns[lane], m, old_m, lane, lanes.right, lanes.v)
    lanes.problem[lane], lanes.n[lane], lanes.m[lane] = problem, n, m
    lanes.entered[lane], lanes.idle[lane] = sweep, 0
    lanes.omega[lane], lanes.mark[lane] = _ONE, 0
    gather_costs(batch, lanes, lane)
    f, g = lanes.f[lane], lanes.g[lane]
    if rule.warm:
        for i in range(n):
            f[i] = batch.f[problem, lanes.rows[lane, i]]
        for j in range(m):
            g[j] = batch.g[problem, lanes.columns[lane, j]]
    else:
        start_potentials(lanes, lane)
    absorb(rule, lanes, lane)


@compiled
def leave(batch, rule, lanes, lane, sweep):
    """Write the solution of a lane's problem and leave the lane idle."""
    problem = lanes.problem[lane]
    gather_costs(batch, lanes, lane)
    if scaling_range(lanes, lane) == BROKEN:
        log_sweeps(rule, lanes, lane, 1)
        absorb(rule, lanes, lane)
    batch.iterations[problem] = sweep - lanes.entered[lane]
    write_plan(batch, lanes, lane)
    for i in range(lanes.n[lane]):
        batch.f[problem, lanes.rows[lane, i]] = lanes.f[lane, i]
        batch.u[problem, lanes.rows[lane, i]] = lanes.u[i * LANES + lane]
    for j in range(lanes.m[lane]):
        batch.g[problem, lanes.columns[lane, j]] = lanes.g[lane, j]
        batch.v[problem, lanes.columns[lane, j]] = lanes.v[j * LANES + lane]
    lanes.problem[lane], lanes.entered[lane], lanes.idle[lane] = -1, NEVER, np.inf


@compiled
def to_potentials(rule, lanes, lane):
    """Move a lane's scalings into its potentials."""
    for i in range(lanes.n[lane]):
        lanes.f[lane, i] += np.log(np.float64(lanes.u[i * LANES + lane])) / rule.inverse
    for j in range(lanes.m[lane]):
        lanes.g[lane, j] += np.log(np.float64(lanes.v[j * LANES + lane])) / rule.inverse


@compiled
def scaling_range(lanes, lane):
    """Whether a lane's scalings are well inside the range of a float, should be absorbed, or have left it."""
    low, high = _ONE, _ONE
    for i in range(lanes.n[lane]):
        low, high = _lower(low, lanes.u[i * LANES + lane]), _higher(high, lanes.u[i * LANES + lane])
    for j in range(lanes.m[lane]):
        low, high = _lower(low, lanes.v[j * LANES + lane]), _higher(high, lanes.v[j * LANES + lane])
    if not (low > 1e-30 and high < 1e30):
        return BROKEN
    return SAFE if low > 1e-10 and high < 1e10 else WIDE


@compiled
def log_sweeps(rule, lanes, lane, sweeps):
    """Sweeps on a lane's potentials in double precision, by logsumexp: slow, and safe at any epsilon."""
    n, m, f, g = lanes.n[lane], lanes.m[lane], lanes.f[lane], lanes.g[lane]
    costs = lanes.costs.reshape(-1, lanes.stride)
    for _ in range(sweeps):
        for i in range(n):
            top, total = -np.inf, 0.0
            for j in range(m):
                top = max(top, (g[j] - costs[i, j]) * rule.inverse)
            for j in range(m):
                total += np.exp((g[j] - costs[i, j]) * rule.inverse - top)
            f[i] = (np.log(np.float64(lanes.left[i * LANES + lane])) - top - np.log(total)) / rule.inverse
        for j in range(m):
            top, total = -np.inf, 0.0
            for i in range(n):
                top = max(top, (f[i] - costs[i, j]) * rule.inverse)
            for i in range(n):
                total += np.exp((f[i] - costs[i, j]) * rule.inverse - top)
            g[j] = (np.log(np.float64(lanes.right[j * LANES + lane])) - top - np.log(total)) / rule.inverse


@inlined
def _real(mass, index):
    count = 0
    for i in range(len(mass)):
        if mass[i] > 0:
            index[count] = i
            count += 1
    return count


@inlined
def _place(mass, index, count, old, lane, masses, scalings):
    for i in range(max(count, old)):
        masses[i * LANES + lane] = mass[index[i]] if i < count else _ZERO
        scalings[i * LANES + lane] = 0


@inlined
def _lower(x, y):
    return y if not y >= x else x


@inlined
def _higher(x, y):
    return y if not y <= x else x
