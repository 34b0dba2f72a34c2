"""The two matrix products of a problem: costs from embeddings, and gradients from the plan.

Only real tokens take part. Eight inner products of a cost, or eight vectors of a gradient, are computed at a time: this
is enough to keep all multipliers of a core busy.
"""

import numpy as np

from optical.ot.kernels.compiled.cells import UNUSED, clear
from optical.ot.kernels.compiled.jit import inlined
from optical.ot.kernels.compiled.state import round_up
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
def cosine_costs(batch, workspace, problem, n, m):
    """Compute C = 1 - S T^T between the real tokens; each row is padded with a cost that no plan uses."""
    width, dim = round_up(m), batch.dim
    source, target = problem * batch.n * dim, problem * batch.m * dim
    for first in range(0, m, LANES):
        t0, t1, t2, t3 = (
            target + workspace.columns[first] * dim,
            target + workspace.columns[min(first + 1, m - 1)] * dim,
            target + workspace.columns[min(first + 2, m - 1)] * dim,
            target + workspace.columns[min(first + 3, m - 1)] * dim,
        )
        t4, t5, t6, t7 = (
            target + workspace.columns[min(first + 4, m - 1)] * dim,
            target + workspace.columns[min(first + 5, m - 1)] * dim,
            target + workspace.columns[min(first + 6, m - 1)] * dim,
            target + workspace.columns[min(first + 7, m - 1)] * dim,
        )
        for i in range(n):
            s = source + workspace.rows[i] * dim
            x = _inner_products(batch.source, s, batch.target, t0, t1, t2, t3, t4, t5, t6, t7, dim)
            cost = keep_first(m - first, subtract(splat(_ONE), x), splat(UNUSED))
            store(workspace.costs, i * width + first, cost)


@inlined
def largest_deviation(embeddings, start, tokens, count, dim):
    """The largest |x . x - 1| of the real tokens of one side; the cosine cost needs embeddings of length one."""
    largest = _ZERO
    for i in range(count):
        x, first = splat(_ZERO), start + get(tokens, i) * dim
        for c in range(0, dim, LANES):
            y = load(embeddings, first + c)
            x = multiply_add(y, y, x)
        deviation = abs(total(x) - _ONE)
        # The second test accepts NaN, which then stays: no number is larger.
        largest = deviation if deviation > largest or deviation != deviation else largest
    return largest


@inlined
def _inner_products(source, s, target, t0, t1, t2, t3, t4, t5, t6, t7, dim):
    """The inner products of one source token with eight target tokens, as a vector."""
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
def source_gradient(batch, workspace, problem, n, m):
    """Write the pair's scale times -P T into the batch; padding is zero."""
    width, scale = round_up(m), batch.scale[problem]
    own, other = problem * batch.n * batch.dim, problem * batch.m * batch.dim
    plan, rows, columns = workspace.costs, workspace.rows, workspace.columns
    _clear_padding(batch.by_source, own, rows, n, batch.n, batch.dim)
    _gradient(plan, width, 1, batch.target, other, columns, m, batch.by_source, own, rows, n, batch.dim, scale)


@inlined
def target_gradient(batch, workspace, problem, n, m):
    """Write the pair's scale times -P^T S into the batch; padding is zero."""
    width, scale = round_up(m), batch.scale[problem]
    own, other = problem * batch.m * batch.dim, problem * batch.n * batch.dim
    plan, rows, columns = workspace.costs, workspace.rows, workspace.columns
    _clear_padding(batch.by_target, own, columns, m, batch.m, batch.dim)
    _gradient(plan, 1, width, batch.source, other, rows, n, batch.by_target, own, columns, m, batch.dim, scale)


@inlined
def _gradient(plan, down, across, others, other, other_tokens, count, gradient, own, own_tokens, rows, dim, scale):
    """Gradient of each own token: the scaled negative sum of the other side's embeddings, weighted by the plan.

    A slice of four vectors of the other side stays in the first-level cache while it is used for all own tokens, two at
    a time. ``down`` and ``across`` are the strides of the plan over own tokens and over the other side's.
    """
    factor = splat(-scale)
    for c in range(0, dim - _SLICE + 1, _SLICE):
        for i in range(0, rows, 2):
            # The last token of an odd number is computed twice.
            first, second = i * down, min(i + 1, rows - 1) * down
            x0, x1, x2, x3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
            z0, z1, z2, z3 = splat(_ZERO), splat(_ZERO), splat(_ZERO), splat(_ZERO)
            for j in range(count):
                y = other + get(other_tokens, j) * dim + c
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
            k = own + get(own_tokens, i) * dim + c
            store(gradient, k, multiply(x0, factor)), store(gradient, k + 8, multiply(x1, factor))
            store(gradient, k + 16, multiply(x2, factor)), store(gradient, k + 24, multiply(x3, factor))
            k = own + get(own_tokens, min(i + 1, rows - 1)) * dim + c
            store(gradient, k, multiply(z0, factor)), store(gradient, k + 8, multiply(z1, factor))
            store(gradient, k + 16, multiply(z2, factor)), store(gradient, k + 24, multiply(z3, factor))
    for c in range(dim - dim % _SLICE, dim, LANES):
        for i in range(rows):
            x = splat(_ZERO)
            for j in range(count):
                y = other + get(other_tokens, j) * dim + c
                x = multiply_add(load(others, y), load_all(plan, i * down + j * across), x)
            store(gradient, own + get(own_tokens, i) * dim + c, multiply(x, factor))


@inlined
def _clear_padding(gradient, start, tokens, count, length, dim):
    """Set to zero the rows of the tokens that are not among the first ``count`` of ``tokens``."""
    passed = 0
    for token in range(length):
        if passed < count and tokens[passed] == token:
            passed += 1
        else:
            clear(gradient, start + token * dim, start + (token + 1) * dim)
