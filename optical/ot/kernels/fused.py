"""The loss by a fused kernel: from embeddings to losses and gradients, without writing C to memory.

The kernels compute one loss, that of OPTICAL: <P, C> of the cosine cost with a detached plan. Newton steps solve the
pairs that the sweeps leave unconverged, as in ``solver``.
"""

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

import torch
from torch import Tensor

from optical.ot import checks
from optical.ot.cost import cost_matrix
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn import newton
from optical.ot.solver import before_newton
from optical.ot.transported import Transported, TransportLoss
from optical.ot.values import entropy_of_potentials


def fused_loss(backend: str, source: Tensor, target: Tensor, a: Tensor, b: Tensor, settings: Settings) -> TransportLoss:
    """Losses by one kernel, and gradients when autograd asks for them.

    Args:
        backend: ``compiled`` or ``triton``.
        source: (batch, source, dim) L2-normalised embeddings.
        target: (batch, target, dim), likewise.
        a: (batch, source) masses, zero on padding.
        b: (batch, target) masses, likewise.
        settings: epsilon, tolerance and sweeps.

    Raises:
        UserError: a pair has no token on one side, or an embedding of a real token is not finite or not of length one.
    """
    kernel = import_module(f"optical.ot.kernels.{backend}.backend")
    inputs = source.detach(), target.detach(), a, b
    solved = kernel.transport(*inputs, before_newton(settings), target.requires_grad)
    deviation = solved.norm_deviation
    if deviation is None or not (math.isfinite(float(solved.value.sum())) and checks.near_unit(*deviation)):
        checks.masses(a, b)
        checks.balance(a, b, settings.tolerance)
        checks.embeddings("source", source, a > 0, unit=True)
        checks.embeddings("target", target, b > 0, unit=True)
    converged = solved.marginal_error <= settings.tolerance
    if settings.newton and not converged.all():
        _finish(solved, ~converged, *inputs, settings)
        converged = solved.marginal_error <= settings.tolerance
    value = _Fused.apply(source, target, partial(kernel.gradients, solved), a, b, solved.value)
    potentials_only = solved._replace(source_gradient=None, target_gradient=None, matrix=None)
    return TransportLoss(
        value,
        solved.marginal_error,
        solved.iterations,
        converged,
        lambda: _plan(potentials_only, *inputs, settings),
        lambda: entropy_of_potentials(potentials_only.value, potentials_only.potentials, a, b, settings.epsilon),
    )


class _Fused(torch.autograd.Function):
    """Losses whose gradients the same kernel computes."""

    @staticmethod
    def forward(
        ctx: Any, source: Tensor, target: Tensor, gradients: Callable[..., tuple], a: Tensor, b: Tensor, value: Tensor
    ) -> Tensor:
        """The losses."""
        ctx.save_for_backward(source, target)
        ctx.gradients, ctx.masses = gradients, (a, b)
        return value.clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients, scaled per pair."""
        sides = ctx.saved_tensors
        gradients = ctx.gradients(*sides, *ctx.masses, upstream, ctx.needs_input_grad[:2])
        typed = (None if part is None else part.to(side.dtype) for part, side in zip(gradients, sides, strict=True))
        return *typed, None, None, None, None


def _plan(solved: Transported, source: Tensor, target: Tensor, a: Tensor, b: Tensor, settings: Settings) -> Plan:
    """The plan of the potentials."""
    problem = Problem(cost_matrix("cosine", source, target, a > 0, b > 0, 0.0), a, b)
    f, g = solved.potentials.f.double(), solved.potentials.g.double()
    epsilon = torch.full_like(solved.value, settings.epsilon, dtype=torch.float64)
    converged = solved.marginal_error <= settings.tolerance
    return Plan(problem, f, g, epsilon, solved.marginal_error, solved.iterations, converged)


def _finish(
    solved: Transported, unconverged: Tensor, source: Tensor, target: Tensor, a: Tensor, b: Tensor, settings: Settings
) -> None:
    """Solve the unconverged pairs by Newton steps, in place."""
    parts = (solved.value, solved.potentials.f, solved.potentials.g, solved.marginal_error, solved.iterations)
    value, f, g, error, iterations = (part[unconverged] for part in parts)
    some = solved._replace(
        value=value, potentials=type(solved.potentials)(f, g), marginal_error=error, iterations=iterations
    )
    source, target = source[unconverged], target[unconverged]
    plan = newton.finish(_plan(some, source, target, a[unconverged], b[unconverged], settings), settings)
    results = (plan.transport_cost, plan.f, plan.g, plan.marginal_error, plan.iterations)
    for whole, part in zip(parts, results, strict=True):
        whole[unconverged] = part.to(whole.dtype)
    matrix = plan.matrix
    if solved.matrix is not None:
        solved.matrix[unconverged] = matrix
        return
    if solved.source_gradient is not None:
        gradient = -(matrix @ target.float())
        solved.source_gradient[unconverged] = gradient.to(solved.source_gradient.dtype)
    if solved.target_gradient is not None:
        gradient = -(matrix.transpose(1, 2) @ source.float())
        solved.target_gradient[unconverged] = gradient.to(solved.target_gradient.dtype)
