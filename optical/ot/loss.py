"""The transport loss of a batch of sentence pairs, differentiable in the embeddings."""

from collections.abc import Callable
from dataclasses import replace
from typing import Unpack

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from optical.errors import UserError
from optical.ot import checks
from optical.ot.cost import UNIT_COSTS, cost_matrix
from optical.ot.gradients import Linear, implicit_derivative, unrolled_plan
from optical.ot.kernels import backends
from optical.ot.kernels.fused import fused_loss
from optical.ot.marginals import WEIGHTED, marginal
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.relative import cost_scale, from_scale, to_scale
from optical.ot.settings import Cost, EpsilonUnit, Gradient, LossSettings, Marginals, Method, Options, Settings, Value
from optical.ot.solver import check_start, solve_with
from optical.ot.transported import TransportLoss
from optical.ot.values import primal_value

_DIMENSIONS = {
    "source": "batch source dim",
    "target": "batch target dim",
    "source_mask": "batch source",
    "target_mask": "batch target",
    "source_weights": "batch source",
    "target_weights": "batch target",
}


def transport_loss(
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    source_mask: Bool[Tensor, "batch source"],
    target_mask: Bool[Tensor, "batch target"],
    *,
    cost: Cost = "cosine",
    marginals: Marginals = "uniform",
    method: Method = "sinkhorn",
    gradient: Gradient = "detached",
    value: Value = "transport",
    epsilon_unit: EpsilonUnit = "cost",
    order_weight: float = 0.0,
    source_weights: Float[Tensor, "batch source"] | None = None,
    target_weights: Float[Tensor, "batch target"] | None = None,
    start: Potentials | None = None,
    **options: Unpack[Options],
) -> TransportLoss:
    """OPTICAL's loss sum_ij P_ij C_ij for each sentence pair (Huang, Yu and Allan 2023, arXiv:2301.12566, section 3).

    The problem is built and solved in float32 (in float64 for float64 embeddings), without gradient. ``gradient``
    defines how the loss depends on the cost (see ``gradients``); marginals are constants. Masked tokens have zero mass,
    so their gradient is exactly zero.

    >>> tokens, real = torch.eye(2).unsqueeze(0), torch.ones(1, 2, dtype=torch.bool)
    >>> round(transport_loss(tokens, tokens, real, real, epsilon=1.0).value.item(), 4)  # 1 / (1 + e)
    0.2689

    Args:
        source: student embeddings; L2-normalised for the cosine cost.
        target: teacher embeddings, likewise.
        source_mask: true for source tokens that take part in the alignment.
        target_mask: true for target tokens that take part in the alignment.
        cost: a key of ``cost.COSTS``.
        marginals: ``uniform``, ``norm``, ``idf``, ``attention`` or ``given`` (the last three need the weights).
        method: see ``Settings``.
        gradient: ``detached``, ``implicit`` or ``unrolled``; the last two only for Sinkhorn's <P, C>.
        value: ``transport`` for <P, C>, ``regularised`` for the optimum with its KL term.
        epsilon_unit: ``cost``, or ``mean_cost`` of each pair (see ``relative``, also for the path it takes).
        order_weight: weight of the order-aware term added to the cost.
        source_weights: token weights of the source marginal.
        target_weights: token weights of the target marginal.
        start: potentials to start from, such as those of an earlier plan of the same pairs.
        **options: epsilon, tolerance and the other fields of ``Settings``.

    Raises:
        UserError: an argument of the wrong type, shape or device; a pair without a token on one side; an embedding that
            is not finite or, for ``cosine`` and ``angular``, not of length one; an impossible setting.
    """
    settings = LossSettings(
        method=method,
        cost=cost,
        marginals=marginals,
        gradient=gradient,
        value=value,
        epsilon_unit=epsilon_unit,
        order_weight=order_weight,
        **options,
    )
    return loss_with(settings, source, target, source_mask, target_mask, source_weights, target_weights, start)


def loss_with(
    settings: LossSettings,
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
    source_mask: Bool[Tensor, "batch source"],
    target_mask: Bool[Tensor, "batch target"],
    source_weights: Float[Tensor, "batch source"] | None = None,
    target_weights: Float[Tensor, "batch target"] | None = None,
    start: Potentials | None = None,
    unit: Float[Tensor, " batch"] | None = None,
) -> TransportLoss:
    """``transport_loss`` with its settings as one object; the other arguments and the errors are the same.

    ``unit`` takes the place of each pair's own mean cost where epsilon is in units of ``mean_cost``.
    """
    given = source, target, source_mask, target_mask, source_weights, target_weights
    checks.arguments(dict(zip(_DIMENSIONS, given, strict=True)), _DIMENSIONS)
    _check_weights(settings.marginals, source_weights, target_weights)
    cost, order_weight, form = settings.cost, settings.order_weight, (settings.gradient, settings.value)
    # The unrolled gradient differentiates plain sweeps.
    solved_with = replace(settings, acceleration="none") if settings.gradient == "unrolled" else settings
    with torch.autocast(source.device.type, enabled=False):
        a = marginal(settings.marginals, source_mask, source, source_weights)
        b = marginal(settings.marginals, target_mask, target, target_weights)
        plain = cost == "cosine" and not order_weight and form == ("detached", "transport")
        # The exact method has no epsilon.
        relative = settings.epsilon_unit == "mean_cost" and settings.method != "exact"
        if backend := backends.fused(source, target, solved_with, plain and not relative and start is None):
            return fused_loss(backend, source, target, a, b, solved_with)
        source = _without_padding("source", source, source_mask, cost)
        target = _without_padding("target", target, target_mask, cost)
        matrix = cost_matrix(cost, source, target, source_mask, target_mask, order_weight)
        problem = Problem(matrix.detach(), _in_precision(a, matrix.dtype), _in_precision(b, matrix.dtype))
        if not relative:
            return _solved(matrix, problem, solved_with, start, _LOSSES[form])
        scale = cost_scale(problem, source, target) if unit is None else unit
        return _solved_to_scale(matrix, problem, scale, solved_with, start, _LOSSES[form])


def _check_weights(marginals: str, *weights: Tensor | None) -> None:
    if marginals not in WEIGHTED and any(side is not None for side in weights):
        what = f"is {marginals!r}, which takes no weights per token, but weights were given"
        raise UserError("marginals", what, f"leave them out, or choose from {', '.join(WEIGHTED)}")


def _without_padding(name: str, side: Tensor, mask: Tensor, cost: str) -> Tensor:
    """The embeddings, checked, and zero on padding, so that padding cannot reach a gradient."""
    checks.embeddings(name, side, mask, unit=cost in UNIT_COSTS)
    return side.masked_fill(~mask.unsqueeze(2), 0)


def _solved(
    cost: Tensor, problem: Problem, settings: Settings, start: Potentials | None, loss: Callable[..., Tensor]
) -> TransportLoss:
    with torch.no_grad():
        plan = solve_with(problem, settings, start)
    value = loss(cost, plan, settings)
    return TransportLoss(value, plan.marginal_error, plan.iterations, plan.converged, lambda: plan, plan.entropy)


def _solved_to_scale(
    cost: Tensor,
    problem: Problem,
    scale: Tensor,
    settings: Settings,
    start: Potentials | None,
    loss: Callable[..., Tensor],
) -> TransportLoss:
    """The loss with epsilon in units of ``scale``: that of cost / scale, times scale, which is held constant."""
    # IPOT refuses a start, whatever it is.
    if start is not None and settings.method != "ipot":
        check_start(problem, start)
        start = to_scale(start, scale)
    cost = cost / scale.view(-1, 1, 1)
    solved = _solved(cost, replace(problem, cost=cost.detach()), settings, start, loss)
    return replace(solved, value=scale * solved.value, make_plan=lambda: from_scale(solved.plan, problem, scale))


def _in_precision(mass: Tensor, dtype: torch.dtype) -> Tensor:
    """Masses that sum to one in ``dtype``: sums rounded in single precision would not balance in double."""
    mass = mass.to(dtype)
    return mass if dtype == torch.float32 else mass / mass.sum(1, keepdim=True).clamp_min(1e-30)


def _detached(cost: Tensor, plan: Plan, settings: Settings) -> Tensor:
    return Linear.apply(cost, plan.matrix, plan.transport_cost)


def _implicit(cost: Tensor, plan: Plan, settings: Settings) -> Tensor:
    with torch.no_grad():
        derivative = implicit_derivative(plan)
    return Linear.apply(cost, derivative, plan.transport_cost)


def _unrolled(cost: Tensor, plan: Plan, settings: Settings) -> Tensor:
    sweeps = int(plan.iterations.max()) if len(cost) else 1
    matrix = unrolled_plan(plan.problem, cost, settings.epsilon, sweeps)
    return (matrix * cost.masked_fill(~plan.problem.real, 0)).sum((1, 2))


def _regularised(cost: Tensor, plan: Plan, settings: Settings) -> Tensor:
    return Linear.apply(cost, plan.matrix, primal_value(plan, settings))


_LOSSES: dict[tuple[str, str], Callable[[Tensor, Plan, Settings], Tensor]] = {
    ("detached", "transport"): _detached,
    ("implicit", "transport"): _implicit,
    ("unrolled", "transport"): _unrolled,
    ("detached", "regularised"): _regularised,
}
