"""The cells of the problem in the workspace: costs, kernel and plan, processed eight cells at a time."""

import numpy as np

from optical.ot.kernels.compiled.elementary import exp2
from optical.ot.kernels.compiled.jit import inlined
from optical.ot.kernels.compiled.state import round_up
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

UNUSED = np.float32(1e30)
_ONE, _ZERO = np.float32(1), np.float32(0)
_LOG2_E = 1.4426950408889634


@inlined
def read_costs(batch, workspace, problem, n, m):
    """Copy the costs between the real tokens; each row is padded with a cost that no plan uses."""
    rows, columns, width = workspace.rows, workspace.columns, round_up(m)
    contiguous = columns[m - 1] - columns[0] == m - 1
    unused = splat(UNUSED)
    for i in range(n):
        start, row = (problem * batch.n + rows[i]) * batch.m, i * width
        if contiguous:
            start += columns[0]
            for c in range(0, m - LANES + 1, LANES):
                store(workspace.costs, row + c, load(batch.cost, start + c))
            if m < width:
                last = width - LANES
                store(workspace.costs, row + last, load_first(batch.cost, start + last, m - last, unused))
        else:
            store(workspace.costs, row + width - LANES, unused)
            for j in range(m):
                put(workspace.costs, row + j, get(batch.cost, start + columns[j]))


@inlined
def start_potentials(workspace, n, m):
    """Set potentials with which the largest kernel cell of every row and every column is one."""
    width = round_up(m)
    for i in range(n):
        lowest = splat(UNUSED)
        for c in range(i * width, (i + 1) * width, LANES):
            lowest = smaller(lowest, load(workspace.costs, c))
        put(workspace.row, i, least(lowest))
    for i in range(n):
        workspace.f[i] = workspace.row[i]
    for c in range(0, width, LANES):
        lowest, cell = splat(UNUSED), c
        for i in range(n):
            lowest = smaller(lowest, subtract(load(workspace.costs, cell), load_all(workspace.row, i)))
            cell += width
        store(workspace.column, c, lowest)
    for j in range(m):
        workspace.g[j] = workspace.column[j]


@inlined
def absorb(rule, workspace, n, m):
    """Compute the kernel of the potentials, rounded to single precision, and set the scalings to one."""
    width, last = round_up(m), round_up(m) - LANES
    steepness = splat(np.float32(rule.inverse_epsilon * _LOG2_E))
    for j in range(m):
        workspace.column[j] = np.float32(workspace.g[j])
        workspace.g[j] = workspace.column[j]
    for c in range(0, width, LANES):
        store(workspace.v, c, keep_first(m - c, splat(_ONE), splat(_ZERO)))
    for c in range(0, round_up(n), LANES):
        store(workspace.u, c, keep_first(n - c, splat(_ONE), splat(_ZERO)))
    for i in range(n):
        potential, row, place = np.float32(workspace.f[i]), i * width, row_offset(i, width)
        workspace.f[i] = potential
        x = splat(potential)
        for c in range(0, last, LANES):
            store(workspace.kernel, place + LANES * c, _cell(workspace, row, c, x, steepness))
        cell = keep_first(m - last, _cell(workspace, row, last, x, steepness), splat(_ZERO))
        store(workspace.kernel, place + LANES * last, cell)
    for i in range(n, round_up(n)):
        for c in range(0, width, LANES):
            store(workspace.kernel, row_offset(i, width) + LANES * c, splat(_ZERO))


@inlined
def _cell(workspace, row, c, potential, steepness):
    slack = add(subtract(potential, load(workspace.costs, row + c)), load(workspace.column, c))
    return exp2(multiply(slack, steepness))


@inlined
def make_plan(workspace, n, m):
    """Overwrite the costs with the plan u K v; return <P, C> and the L1 marginal error of the plan."""
    width = round_up(m)
    for c in range(0, width, LANES):
        store(workspace.column, c, splat(_ZERO))
    value = splat(_ZERO)
    for i in range(n):
        scaling, row_sum, row, place = load_all(workspace.u, i), splat(_ZERO), i * width, row_offset(i, width)
        for c in range(0, width, LANES):
            mass = multiply(multiply(scaling, load(workspace.kernel, place + LANES * c)), load(workspace.v, c))
            row_sum, value = add(row_sum, mass), multiply_add(mass, load(workspace.costs, row + c), value)
            store(workspace.column, c, add(load(workspace.column, c), mass))
            store(workspace.costs, row + c, mass)
        put(workspace.row, i, total(row_sum))
    wrong = splat(_ZERO)
    for i in range(0, n, LANES):
        lacking = magnitude(subtract(load(workspace.row, i), load(workspace.a, i)))
        wrong = add(wrong, keep_first(n - i, lacking, splat(_ZERO)))
    for c in range(0, width, LANES):
        wrong = add(wrong, magnitude(subtract(load(workspace.column, c), load(workspace.b, c))))
    return total(value), total(wrong)


@inlined
def write_plan(batch, workspace, problem, n, m):
    """Copy the plan into the batch; padding is exactly zero."""
    rows, columns, width, length = workspace.rows, workspace.columns, round_up(m), batch.m
    contiguous, stop = columns[m - 1] == m - 1, (problem + 1) * batch.n * length
    clear(batch.matrix, problem * batch.n * length, stop)
    for i in range(n):
        cell, place = i * width, (problem * batch.n + rows[i]) * length
        # The padding of a row's last vector may overwrite rows that are written later, but no other problem.
        copied = min(width, (stop - place) // LANES * LANES) if contiguous else 0
        for c in range(0, copied, LANES):
            store(batch.matrix, place + c, load(workspace.costs, cell + c))
        for j in range(copied, m):
            put(batch.matrix, place + columns[j], get(workspace.costs, cell + j))


@inlined
def row_offset(i, width):
    """Offset of row i of the kernel. Rows form blocks of eight: the first vectors of all eight, then the second ones.

    The eight rows that a sweep processes at once are thus contiguous in memory.
    """
    inside = i % LANES
    return (i - inside) * width + inside * LANES


@inlined
def clear(array, start, stop):
    """Set ``array[start:stop]`` to zero."""
    whole_vectors = start + (stop - start) // LANES * LANES
    for c in range(start, whole_vectors, LANES):
        store(array, c, splat(_ZERO))
    for c in range(whole_vectors, stop):
        put(array, c, _ZERO)
