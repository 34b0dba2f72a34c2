"""Sinkhorn on an NVIDIA GPU in one kernel, from embeddings to loss and gradients: one program per sentence pair.

The cost C, the kernel K and the plan P of a pair stay in the registers of its program and are never written to memory;
only embeddings are read, and only losses, gradients and potentials are written. Embeddings may be in half precision:
sums of their products, and everything computed from them, are in single precision.

The sweeps are those of Cuturi 2013 (arXiv:1306.0895, Alg. 1) on K = exp((f + g - C) / epsilon), where f and g start
as the row minima of C and the column minima of the rest: the largest cell of every row and every column of K is then
one, at any epsilon. Large scalings are absorbed into f and g, and K is computed again (Schmitzer 2019,
arXiv:1610.06519, section 3.1), so that small epsilon needs no log-domain sweeps. Between two absorptions, a cell that
underflows carries less than 1e-8 of the mass of its row.
"""

from typing import no_type_check

import triton
import triton.language as tl

CHECK_SWEEPS = tl.constexpr(4)
"""Sweeps between two checks of the row error and of the size of the scalings."""

_LARGE = tl.constexpr(1e8)
"""Scalings above this are absorbed: four sweeps multiply them by less than 1e24 for masses down to 1e-6."""

_TINY = tl.constexpr(1e-35)
_HUGE = tl.constexpr(3e38)

_BLOCK = tl.constexpr(32)
"""Dimensions of each embedding that are in registers or shared memory at a time."""

INTERPRETED = tl.constexpr(triton.knobs.runtime.interpret)

_GRADIENT_SCALE = tl.constexpr(4096.0)
"""Keeps both parts of P in the normal range of float16; exact, as it is a power of two."""


@triton.jit
@no_type_check
def transport_kernel(
    source: tl.tensor,
    target: tl.tensor,
    a: tl.tensor,
    b: tl.tensor,
    value: tl.tensor,
    source_gradient: tl.tensor,
    target_gradient: tl.tensor,
    f_out: tl.tensor,
    g_out: tl.tensor,
    error_out: tl.tensor,
    iterations: tl.tensor,
    n: tl.tensor,
    m: tl.tensor,
    epsilon: tl.tensor,
    tolerance: tl.tensor,
    most: tl.tensor,
    D: tl.constexpr,
    N: tl.constexpr,
    M: tl.constexpr,
    WITH_TARGET: tl.constexpr,
) -> None:
    """Solve one pair of n <= N and m <= M tokens of D dimensions; see ``backend.transport``. Tensors are contiguous."""
    pair = tl.program_id(0).to(tl.int64)
    rows, columns = tl.arange(0, N), tl.arange(0, M)
    a_here = tl.load(a + pair * n + rows, mask=rows < n, other=0.0)
    b_here = tl.load(b + pair * m + columns, mask=columns < m, other=0.0)
    source += pair * n * D
    target += pair * m * D

    cost = _cost(source, target, a_here, b_here, D)
    plan, f, g, sweeps = _sinkhorn(cost, a_here, b_here, epsilon, tolerance, most)
    error = tl.sum(tl.abs(tl.sum(plan, 1) - a_here), 0) + tl.sum(tl.abs(tl.sum(plan, 0) - b_here), 0)
    tl.store(value + pair, tl.sum(tl.sum(plan * cost, 1), 0))
    tl.store(error_out + pair, error)
    tl.store(iterations + pair, sweeps)
    tl.store(f_out + pair * n + rows, f, mask=rows < n)
    tl.store(g_out + pair * m + columns, g, mask=columns < m)
    _write_gradient(source_gradient + pair * n * D, n, plan, target, b_here, D)
    if WITH_TARGET:
        _write_gradient(target_gradient + pair * m * D, m, tl.trans(plan), source, a_here, D)


@triton.jit
@no_type_check
def _sinkhorn(
    cost: tl.tensor,
    a: tl.tensor,
    b: tl.tensor,
    epsilon: tl.tensor,
    tolerance: tl.tensor,
    most: tl.tensor,
) -> tuple:
    """The plan, its potentials in double precision, and the number of sweeps."""
    f, g = _start(cost, a, b)
    kernel = tl.exp((f[:, None] - cost + g[None, :]) / epsilon)
    row_mass = tl.sum(kernel, 1)
    u, v = tl.full(a.shape, 1.0, tl.float32), tl.full(b.shape, 1.0, tl.float32)
    error, sweeps = _HUGE, 0
    while (sweeps < most) & (error > tolerance):
        burst = tl.minimum(CHECK_SWEEPS, most - sweeps)
        for _ in range(burst):
            u = _scaling(a, row_mass)
            v = _scaling(b, tl.sum(kernel * u[:, None], 0))
            row_mass = tl.sum(kernel * v[None, :], 1)
        sweeps += burst
        error = tl.sum(tl.abs(u * row_mass - a), 0)
        if tl.maximum(tl.max(u, 0), tl.max(v, 0)) > _LARGE:
            f += epsilon * tl.log(u)
            g += epsilon * tl.log(v)
            kernel = tl.exp((f[:, None] - cost + g[None, :]) / epsilon)
            row_mass = tl.sum(kernel, 1)
            u, v = tl.full(a.shape, 1.0, tl.float32), tl.full(b.shape, 1.0, tl.float32)
    plan = u[:, None] * kernel * v[None, :]
    f = f.to(tl.float64) + epsilon * tl.log(u).to(tl.float64)
    g = g.to(tl.float64) + epsilon * tl.log(v).to(tl.float64)
    return plan, f, g, sweeps


@triton.jit
@no_type_check
def _start(cost: tl.tensor, a: tl.tensor, b: tl.tensor) -> tuple:
    """Row minima of the cost and column minima of the rest, over real tokens; -inf for the others."""
    f = tl.min(tl.where((b > 0)[None, :], cost, _HUGE), 1)
    f = tl.where(a > 0, f, -float("inf"))
    g = tl.min(tl.minimum(cost - f[:, None], _HUGE), 0)
    return f, tl.where(b > 0, g, -float("inf"))


@triton.jit
@no_type_check
def _scaling(mass: tl.tensor, total: tl.tensor) -> tl.tensor:
    """mass / total to 3e-7: a GPU computes an inverse root in one instruction, and a division in nine."""
    root = tl.rsqrt(tl.maximum(total, _TINY))
    return mass * root * root


@triton.jit
@no_type_check
def _cost(source: tl.tensor, target: tl.tensor, a: tl.tensor, b: tl.tensor, D: tl.constexpr) -> tl.tensor:
    """C = 1 - S T^T, (N, M) in single precision."""
    similarity = tl.zeros((a.shape[0], b.shape[0]), tl.float32)
    for first in range(0, D, _BLOCK):
        s = _embeddings(source, a, first, D)
        t = _embeddings(target, b, first, D)
        similarity = _dot(s, tl.trans(t), similarity)
    return 1.0 - similarity


@triton.jit
@no_type_check
def _write_gradient(
    out: tl.tensor,
    tokens: tl.tensor,
    plan: tl.tensor,
    other: tl.tensor,
    mass: tl.tensor,
    D: tl.constexpr,
) -> None:
    """Write -P T, the gradient of <P, C> in S for constant P: (tokens, D) in the embeddings' precision.

    For half-precision embeddings, P is the sum of two half-precision parts, which keeps its precision.
    """
    rows = tl.arange(0, plan.shape[0])[:, None]
    weights = plan * -_GRADIENT_SCALE
    for first in range(0, D, _BLOCK):
        slab = _embeddings(other, mass, first, D)
        high = weights.to(slab.dtype)
        gradient = _dot(high, slab, tl.zeros((plan.shape[0], _BLOCK), tl.float32))
        if slab.dtype != tl.float32:
            low = (weights - high.to(tl.float32)).to(slab.dtype)
            gradient = _dot(low, slab, gradient)
        columns = first + tl.arange(0, _BLOCK)[None, :]
        gradient = (gradient / _GRADIENT_SCALE).to(slab.dtype)
        tl.store(out + rows * D + columns, gradient, mask=(rows < tokens) & (columns < D))


@triton.jit
@no_type_check
def _embeddings(sentence: tl.tensor, mass: tl.tensor, first: tl.tensor, D: tl.constexpr) -> tl.tensor:
    """Dimensions ``first`` to ``first + _BLOCK`` of all tokens; zeros, without a read, for tokens without mass."""
    rows, columns = tl.arange(0, mass.shape[0])[:, None], first + tl.arange(0, _BLOCK)[None, :]
    return tl.load(sentence + rows * D + columns, mask=(mass > 0)[:, None] & (columns < D), other=0.0)


@triton.jit
@no_type_check
def _dot(x: tl.tensor, y: tl.tensor, total: tl.tensor) -> tl.tensor:
    """total + x y in single precision, without rounding x and y to tf32."""
    if INTERPRETED:  # The interpreter multiplies the bits of bfloat16.
        x, y = x.to(tl.float32), y.to(tl.float32)
    return tl.dot(x, y, total, input_precision="ieee")
