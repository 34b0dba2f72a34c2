"""The two matrix products around a problem: costs from embeddings before, gradients from the plan after.

Only real tokens take part. Costs are made of eight inner products at a time, gradients of eight vectors of sums: as
many as keep the multipliers busy.
"""

import numpy as np

from optical.ot.kernels.compiled.cells import NEVER_PAID, clear
from optical.ot.kernels.compiled.jit import inlined
from optical.ot.kernels.compiled.state import whole
from optical.ot.kernels.compiled.vector import (
    LANES,
    get,
    keep_first,
    load,
    load_all,
    multiply,
    multiply_add,
    splat,
    store,
    subtract,
    sums,
    total,
)

_ONE, _ZERO = np.float32(1), np.float32(0)
_SLICE = 4 * LANES


@inlined
def cosine_costs(batch, desk, problem, n, m):
    """C = 1 - S T^T between the real tokens, each row filled up with a cost that is never paid."""
    width, dim = whole(m), batch.dim
    source, target = problem * batch.n * dim, problem * batch.m * dim
    for first in range(0, m, LANES):
        t0, t1, t2, t3 = (
            target + desk.columns[first] * dim,
            target + desk.columns[min(first + 1, m - 1)] * dim,
            target + desk.columns[min(first + 2, m - 1)] * dim,
            target + desk.columns[min(first + 3, m - 1)] * dim,
        )
        t4, t5, t6, t7 = (
            target + desk.columns[min(first + 4, m - 1)] * dim,
            target + desk.columns[min(first + 5, m - 1)] * dim,
            target + desk.columns[min(first + 6, m - 1)] * dim,
            target + desk.columns[min(first + 7, m - 1)] * dim,
        )
        for i in range(n):
            s = source + desk.rows[i] * dim
            x = _inner_products(batch.source, s, batch.target, t0, t1, t2, t3, t4, t5, t6, t7, dim)
            cost = keep_first(m - first, subtract(splat(_ONE), x), splat(NEVER_PAID))
            store(desk.costs, i * width + first, cost)


@inlined
def farthest_from_unit(embeddings, start, tokens, count, dim):
    """The largest |x . x - 1| of the real tokens of one side: the cosine cost takes embeddings of length one."""
    farthest = _ZERO
    for i in range(count):
        x, first = splat(_ZERO), start + get(tokens, i) * dim
        for c in range(0, dim, LANES):
            y = load(embeddings, first + c)
            x = multiply_add(y, y, x)
        away = abs(total(x) - _ONE)
        # NaN comes in by the second test, and stays because nothing is larger.
        farthest = away if away > farthest or away != away else farthest
    return farthest


@inlined
def _inner_products(source, s, target, t0, t1, t2, t3, t4, t5, t6, t7, dim):
    """The inner products of one row with eight, as a vector."""
    x0, x1, x2, x3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
    x4, x5, x6, x7 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
    for c in range(0, dim, LANES):
        y = load(source, s + c)
        x0, x1 = multiply_add(load(target, t0 + c), y, x0), multiply_add(load(target, t1 + c), y, x1)
        x2, x3 = multiply_add(load(target, t2 + c), y, x2), multiply_add(load(target, t3 + c), y, x3)
        x4, x5 = multiply_add(load(target, t4 + c), y, x4), multiply_add(load(target, t5 + c), y, x5)
        x6, x7 = multiply_add(load(target, t6 + c), y, x6), multiply_add(load(target, t7 + c), y, x7)
    return sums(x0, x1, x2, x3, x4, x5, x6, x7)


@inlined
def source_gradient(batch, desk, problem, n, m):
    """The pair's scale times -P T, zero for padding, to its place in the batch."""
    width, scale = whole(m), batch.scale[problem]
    own, other = problem * batch.n * batch.dim, problem * batch.m * batch.dim
    _clear_padding(batch.by_source, own, desk.rows, n, batch.n, batch.dim)
    _gradient(
        desk.costs, width, 1, batch.target, other, desk.columns, m, batch.by_source, own, desk.rows, n, batch.dim, scale
    )


@inlined
def target_gradient(batch, desk, problem, n, m):
    """The pair's scale times -P^T S, zero for padding, to its place in the batch."""
    width, scale = whole(m), batch.scale[problem]
    own, other = problem * batch.m * batch.dim, problem * batch.n * batch.dim
    _clear_padding(batch.by_target, own, desk.columns, m, batch.m, batch.dim)
    _gradient(
        desk.costs, 1, width, batch.source, other, desk.rows, n, batch.by_target, own, desk.columns, m, batch.dim, scale
    )


@inlined
def _gradient(plan, down, across, others, other, theirs, count, gradient, own, mine, rows, dim, scale):
    """Each of my tokens' gradient: minus the sum of their embeddings, each times its cell of the plan, scaled.

    Their slice of four vectors stays in the nearest cache while it meets all of my tokens, two at a time. ``down`` and
    ``across`` lead from one of my tokens, and of theirs, to the next in the plan.
    """
    factor = splat(-scale)
    for c in range(0, dim - _SLICE + 1, _SLICE):
        for i in range(0, rows, 2):
            # An odd last token is done twice.
            first, second = i * down, min(i + 1, rows - 1) * down
            x0, x1, x2, x3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
            z0, z1, z2, z3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
            for j in range(count):
                y = other + get(theirs, j) * dim + c
                p, q = load_all(plan, first + j * across), load_all(plan, second + j * across)
                y0, y1, y2, y3 = load(others, y), load(others, y + 8), load(others, y + 16), load(others, y + 24)
                x0, x1, z0, z1 = (
                    multiply_add(y0, p, x0),
                    multiply_add(y1, p, x1),
                    multiply_add(y0, q, z0),
                    multiply_add(y1, q, z1),
                )
                x2, x3, z2, z3 = (
                    multiply_add(y2, p, x2),
                    multiply_add(y3, p, x3),
                    multiply_add(y2, q, z2),
                    multiply_add(y3, q, z3),
                )
            k = own + get(mine, i) * dim + c
            store(gradient, k, multiply(x0, factor)), store(gradient, k + 8, multiply(x1, factor))
            store(gradient, k + 16, multiply(x2, factor)), store(gradient, k + 24, multiply(x3, factor))
            k = own + get(mine, min(i + 1, rows - 1)) * dim + c
            store(gradient, k, multiply(z0, factor)), store(gradient, k + 8, multiply(z1, factor))
            store(gradient, k + 16, multiply(z2, factor)), store(gradient, k + 24, multiply(z3, factor))
    for c in range(dim - dim % _SLICE, dim, LANES):
        for i in range(rows):
            x = splat(_ZERO)
            for j in range(count):
                y = other + get(theirs, j) * dim + c
                x = multiply_add(load(others, y), load_all(plan, i * down + j * across), x)
            store(gradient, own + get(mine, i) * dim + c, multiply(x, factor))


@inlined
def _clear_padding(gradient, start, tokens, count, length, dim):
    """Zero the rows of the tokens that are not among the first ``count`` of ``tokens``."""
    known = 0
    for token in range(length):
        if known < count and tokens[known] == token:
            known += 1
        else:
            clear(gradient, start + token * dim, start + (token + 1) * dim)
