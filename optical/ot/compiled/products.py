"""The two matrix products around a problem: costs from embeddings before, gradients from the plan after.

Only real tokens take part. A row of costs is made of eight inner products at a time, a row of gradients of as many
vectors as there are registers for.
"""

import numpy as np

from optical.ot.compiled.cells import NEVER_PAID, clear
from optical.ot.compiled.jit import inlined
from optical.ot.compiled.state import whole
from optical.ot.compiled.vector import (
    LANES,
    keep_first,
    load,
    load_all,
    multiply_add,
    splat,
    store,
    subtract,
    sums,
)

_ONE, _ZERO = np.float32(1), np.float32(0)
_BLOCK = 8 * LANES


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
    """-P T, zero for padding, to its place in the batch."""
    dim, width = batch.dim, whole(m)
    start, target = problem * batch.n * dim, problem * batch.m * dim
    _clear_padding(batch.by_source, start, desk.rows, n, batch.n, dim)
    for i in range(n):
        place, cell = start + desk.rows[i] * dim, i * width
        _weighted_sum(desk.costs, cell, 1, m, batch.target, target, desk.columns, batch.by_source, place, dim)


@inlined
def target_gradient(batch, desk, problem, n, m):
    """-P^T S, zero for padding, to its place in the batch."""
    dim, width = batch.dim, whole(m)
    start, source = problem * batch.m * dim, problem * batch.n * dim
    _clear_padding(batch.by_target, start, desk.columns, m, batch.m, dim)
    for j in range(m):
        place = start + desk.columns[j] * dim
        _weighted_sum(desk.costs, j, width, n, batch.source, source, desk.rows, batch.by_target, place, dim)


@inlined
def _weighted_sum(plan, cell, step, count, embeddings, start, tokens, gradient, place, dim):
    """Minus the sum of ``count`` embeddings, each times its cell of the plan."""
    for c in range(0, dim - _BLOCK + 1, _BLOCK):
        x0, x1, x2, x3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
        x4, x5, x6, x7 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
        for j in range(count):
            mass, y = load_all(plan, cell + j * step), start + tokens[j] * dim + c
            x0, x1 = multiply_add(load(embeddings, y), mass, x0), multiply_add(load(embeddings, y + 8), mass, x1)
            x2, x3 = multiply_add(load(embeddings, y + 16), mass, x2), multiply_add(load(embeddings, y + 24), mass, x3)
            x4, x5 = multiply_add(load(embeddings, y + 32), mass, x4), multiply_add(load(embeddings, y + 40), mass, x5)
            x6, x7 = multiply_add(load(embeddings, y + 48), mass, x6), multiply_add(load(embeddings, y + 56), mass, x7)
        k, zero = place + c, splat(_ZERO)
        store(gradient, k, subtract(zero, x0)), store(gradient, k + 8, subtract(zero, x1))
        store(gradient, k + 16, subtract(zero, x2)), store(gradient, k + 24, subtract(zero, x3))
        store(gradient, k + 32, subtract(zero, x4)), store(gradient, k + 40, subtract(zero, x5))
        store(gradient, k + 48, subtract(zero, x6)), store(gradient, k + 56, subtract(zero, x7))
    for c in range(dim - dim % _BLOCK, dim, LANES):
        x = splat(_ZERO)
        for j in range(count):
            mass = load_all(plan, cell + j * step)
            x = multiply_add(load(embeddings, start + tokens[j] * dim + c), mass, x)
        store(gradient, place + c, subtract(splat(_ZERO), x))


@inlined
def _clear_padding(gradient, start, tokens, count, length, dim):
    """Zero the rows of the tokens that are not among the first ``count`` of ``tokens``."""
    known = 0
    for token in range(length):
        if known < count and tokens[known] == token:
            known += 1
        else:
            clear(gradient, start + token * dim, start + (token + 1) * dim)
