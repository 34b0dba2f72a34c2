"""The cells of one problem: its costs gathered, its kernel absorbed into a lane, its plan written.

A row is worked on eight cells at a time, in scratch that is filled up to whole vectors.
"""

import numpy as np

from optical.ot.compiled.jit import compiled, inlined
from optical.ot.compiled.vector import (
    LANES,
    add,
    get,
    larger,
    least,
    load,
    multiply,
    multiply_add,
    nearest,
    power_of_two,
    put,
    smaller,
    splat,
    store,
    subtract,
    total,
)

_NEVER_PAID = np.float32(1e30)
_ONE, _ZERO = np.float32(1), np.float32(0)


@compiled
def gather_costs(batch, lanes, lane):
    """The costs between the real tokens of a lane's problem, to ``lanes.costs``."""
    n, m, rows, columns = lanes.n[lane], lanes.m[lane], lanes.rows[lane], lanes.columns[lane]
    source, target = batch.a.shape[1], batch.b.shape[1]
    together = columns[m - 1] - columns[0] == m - 1
    for i in range(n):
        start, row = (lanes.problem[lane] * source + rows[i]) * target, i * lanes.stride
        if together:
            _copy(batch.cost, start + columns[0], lanes.costs, row, m)
        else:
            for j in range(m):
                put(lanes.costs, row + j, get(batch.cost, start + columns[j]))
        for j in range(m, _whole(m)):
            put(lanes.costs, row + j, _NEVER_PAID)


@compiled
def start_potentials(lanes, lane):
    """Potentials under which every row and every column of the kernel has a one and no cell is above it."""
    n, m, f = lanes.n[lane], lanes.m[lane], lanes.f[lane]
    for i in range(n):
        lowest = splat(_NEVER_PAID)
        for c in range(0, m, LANES):
            lowest = smaller(lowest, load(lanes.costs, i * lanes.stride + c))
        f[i] = least(lowest)
    for c in range(0, m, LANES):
        lowest = splat(_NEVER_PAID)
        for i in range(n):
            lowest = smaller(lowest, subtract(load(lanes.costs, i * lanes.stride + c), splat(np.float32(f[i]))))
        store(lanes.row, c, lowest)
    for j in range(m):
        lanes.g[lane, j] = lanes.row[j]


@compiled
def absorb(rule, lanes, lane):
    """Kernel of a lane's potentials, rounded to single precision; the lane's scalings start at one again."""
    n, m, f, g = lanes.n[lane], lanes.m[lane], lanes.f[lane], lanes.g[lane]
    inverse = splat(np.float32(rule.inverse))
    for j in range(m):
        lanes.right_row[j] = np.float32(g[j])
        g[j] = lanes.right_row[j]
        lanes.v[j * LANES + lane] = _ONE
    for i in range(n):
        potential, row = np.float32(f[i]), i * lanes.stride
        f[i] = potential
        lanes.u[i * LANES + lane] = _ONE
        for c in range(0, m, LANES):
            slack = add(subtract(splat(potential), load(lanes.costs, row + c)), load(lanes.right_row, c))
            store(lanes.row, c, _exponential(multiply(slack, inverse)))
        first = i * lanes.width * LANES + lane
        for j in range(m):
            put(lanes.kernel, first + j * LANES, get(lanes.row, j))


@compiled
def write_plan(batch, lanes, lane):
    """Write the plan u K v of a lane, zeros on padding, with its marginal error and <P, C>."""
    problem, n, m = lanes.problem[lane], lanes.n[lane], lanes.m[lane]
    rows, columns = lanes.rows[lane], lanes.columns[lane]
    source, target = batch.a.shape[1], batch.b.shape[1]
    together = columns[m - 1] - columns[0] == m - 1
    batch.matrix[problem * source * target : (problem + 1) * source * target] = 0
    for c in range(0, m, LANES):
        store(lanes.sum_row, c, splat(_ZERO))
        store(lanes.right_row, c, splat(_ZERO))
        store(lanes.row, c, splat(_ZERO))
    for j in range(m):
        lanes.right_row[j] = lanes.v[j * LANES + lane]
    wrong, value = _ZERO, 0.0
    for i in range(n):
        first, row = i * lanes.width * LANES + lane, i * lanes.stride
        for j in range(m):
            put(lanes.row, j, get(lanes.kernel, first + j * LANES))
        u, row_sum, row_value = splat(lanes.u[i * LANES + lane]), splat(_ZERO), splat(_ZERO)
        for c in range(0, m, LANES):
            mass = multiply(multiply(u, load(lanes.row, c)), load(lanes.right_row, c))
            row_sum, row_value = add(row_sum, mass), multiply_add(mass, load(lanes.costs, row + c), row_value)
            store(lanes.sum_row, c, add(load(lanes.sum_row, c), mass))
            store(lanes.row, c, mass)
        start = (problem * source + rows[i]) * target
        if together:
            _copy(lanes.row, 0, batch.matrix, start + columns[0], m)
        else:
            for j in range(m):
                put(batch.matrix, start + columns[j], get(lanes.row, j))
        wrong += abs(total(row_sum) - lanes.left[i * LANES + lane])
        value += total(row_value)
    for j in range(m):
        wrong += abs(lanes.sum_row[j] - lanes.right[j * LANES + lane])
    batch.error[problem], batch.value[problem] = wrong, value


@inlined
def _copy(source, start, target, place, count):
    whole = count - count % LANES
    for c in range(0, whole, LANES):
        store(target, place + c, load(source, start + c))
    for c in range(whole, count):
        put(target, place + c, get(source, start + c))


@inlined
def _whole(count):
    return LANES * ((count + LANES - 1) // LANES)


@inlined
def _exponential(x):
    """exp(x) for x between -87 and 87 within 2e-7 (the polynomial of the Cephes library), cut off outside."""
    x = larger(smaller(x, splat(np.float32(87))), splat(np.float32(-87)))
    power = nearest(multiply(x, splat(np.float32(1.4426950408889634))))
    x = multiply_add(power, splat(np.float32(-0.693359375)), x)
    x = multiply_add(power, splat(np.float32(2.12194440e-4)), x)
    series = multiply_add(splat(np.float32(1.9875691500e-4)), x, splat(np.float32(1.3981999507e-3)))
    series = multiply_add(series, x, splat(np.float32(8.3334519073e-3)))
    series = multiply_add(series, x, splat(np.float32(4.1665795894e-2)))
    series = multiply_add(series, x, splat(np.float32(1.6666665459e-1)))
    series = multiply_add(series, x, splat(np.float32(0.5)))
    series = add(multiply_add(series, multiply(x, x), x), splat(_ONE))
    return multiply(series, power_of_two(power))
