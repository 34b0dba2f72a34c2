"""The cells of the problem on the desk: its costs, its kernel, its plan. Rows are worked on eight cells at a time."""

import numpy as np

from optical.ot.kernels.compiled.elementary import exp2
from optical.ot.kernels.compiled.jit import inlined
from optical.ot.kernels.compiled.state import whole
from optical.ot.kernels.compiled.vector import (
    LANES,
    add,
    get,
    keep_first,
    least,
    load,
    load_all,
    load_first,
    magnitude,
    multiply,
    multiply_add,
    put,
    smaller,
    splat,
    store,
    subtract,
    total,
)

NEVER_PAID = np.float32(1e30)
_ONE, _ZERO = np.float32(1), np.float32(0)
_LOG2_E = 1.4426950408889634


@inlined
def read_costs(batch, desk, problem, n, m):
    """The costs between the real tokens, each row filled up with a cost that is never paid."""
    rows, columns, width = desk.rows, desk.columns, whole(m)
    together = columns[m - 1] - columns[0] == m - 1
    never = splat(NEVER_PAID)
    for i in range(n):
        start, row = (problem * batch.n + rows[i]) * batch.m, i * width
        if together:
            start += columns[0]
            for c in range(0, m - LANES + 1, LANES):
                store(desk.costs, row + c, load(batch.cost, start + c))
            if m < width:
                last = width - LANES
                store(desk.costs, row + last, load_first(batch.cost, start + last, m - last, never))
        else:
            store(desk.costs, row + width - LANES, never)
            for j in range(m):
                put(desk.costs, row + j, get(batch.cost, start + columns[j]))


@inlined
def start_potentials(desk, n, m):
    """Potentials under which every row and every column of the kernel has a one and no cell is above it."""
    width = whole(m)
    for i in range(n):
        lowest = splat(NEVER_PAID)
        for c in range(i * width, (i + 1) * width, LANES):
            lowest = smaller(lowest, load(desk.costs, c))
        put(desk.row, i, least(lowest))
    for i in range(n):
        desk.f[i] = desk.row[i]
    for c in range(0, width, LANES):
        lowest, cell = splat(NEVER_PAID), c
        for i in range(n):
            lowest = smaller(lowest, subtract(load(desk.costs, cell), load_all(desk.row, i)))
            cell += width
        store(desk.column, c, lowest)
    for j in range(m):
        desk.g[j] = desk.column[j]


@inlined
def absorb(rule, desk, n, m):
    """Kernel of the potentials, rounded to single precision; scalings start at one again."""
    width, last = whole(m), whole(m) - LANES
    steepness = splat(np.float32(rule.inverse * _LOG2_E))
    for j in range(m):
        desk.column[j] = np.float32(desk.g[j])
        desk.g[j] = desk.column[j]
    for c in range(0, width, LANES):
        store(desk.v, c, keep_first(m - c, splat(_ONE), splat(_ZERO)))
    for c in range(0, whole(n), LANES):
        store(desk.u, c, keep_first(n - c, splat(_ONE), splat(_ZERO)))
    for i in range(n):
        potential, row, place = np.float32(desk.f[i]), i * width, tile(i, width)
        desk.f[i] = potential
        x = splat(potential)
        for c in range(0, last, LANES):
            store(desk.kernel, place + LANES * c, _cell(desk, row, c, x, steepness))
        cell = keep_first(m - last, _cell(desk, row, last, x, steepness), splat(_ZERO))
        store(desk.kernel, place + LANES * last, cell)
    for i in range(n, whole(n)):
        for c in range(0, width, LANES):
            store(desk.kernel, tile(i, width) + LANES * c, splat(_ZERO))


@inlined
def _cell(desk, row, c, potential, steepness):
    slack = add(subtract(potential, load(desk.costs, row + c)), load(desk.column, c))
    return exp2(multiply(slack, steepness))


@inlined
def make_plan(desk, n, m):
    """Put the plan u K v in the place of the costs; returns <P, C> and the plan's L1 marginal error."""
    width = whole(m)
    for c in range(0, width, LANES):
        store(desk.column, c, splat(_ZERO))
    value = splat(_ZERO)
    for i in range(n):
        scaling, row_sum, row, place = load_all(desk.u, i), splat(_ZERO), i * width, tile(i, width)
        for c in range(0, width, LANES):
            mass = multiply(multiply(scaling, load(desk.kernel, place + LANES * c)), load(desk.v, c))
            row_sum, value = add(row_sum, mass), multiply_add(mass, load(desk.costs, row + c), value)
            store(desk.column, c, add(load(desk.column, c), mass))
            store(desk.costs, row + c, mass)
        put(desk.row, i, total(row_sum))
    wrong = splat(_ZERO)
    for i in range(0, n, LANES):
        lacking = magnitude(subtract(load(desk.row, i), load(desk.a, i)))
        wrong = add(wrong, keep_first(n - i, lacking, splat(_ZERO)))
    for c in range(0, width, LANES):
        wrong = add(wrong, magnitude(subtract(load(desk.column, c), load(desk.b, c))))
    return total(value), total(wrong)


@inlined
def write_plan(batch, desk, problem, n, m):
    """Copy the plan to its place in the batch; padding is exactly zero."""
    rows, columns, width, length = desk.rows, desk.columns, whole(m), batch.m
    together, stop = columns[m - 1] == m - 1, (problem + 1) * batch.n * length
    clear(batch.matrix, problem * batch.n * length, stop)
    for i in range(n):
        cell, place = i * width, (problem * batch.n + rows[i]) * length
        # The zeros that fill up a row's last vector may run into rows still to be written, not into another problem.
        copied = min(width, (stop - place) // LANES * LANES) if together else 0
        for c in range(0, copied, LANES):
            store(batch.matrix, place + c, load(desk.costs, cell + c))
        for j in range(copied, m):
            put(batch.matrix, place + columns[j], get(desk.costs, cell + j))


@inlined
def tile(i, width):
    """Where row i of the kernel begins. Rows lie in blocks of eight, a block's first vectors together, then its second.

    So the eight rows that a sweep works on at once are one stretch of memory, and its vectors eight rows apart.
    """
    inside = i % LANES
    return (i - inside) * width + inside * LANES


@inlined
def clear(array, start, stop):
    """Zero ``array[start:stop]``."""
    whole_vectors = start + (stop - start) // LANES * LANES
    for c in range(start, whole_vectors, LANES):
        store(array, c, splat(_ZERO))
    for c in range(whole_vectors, stop):
        put(array, c, _ZERO)
