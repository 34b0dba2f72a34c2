"""The primal value of a plan, the dual value of its potentials, and the gap between them.

Every method minimises a convex function of the plan. Its minimum equals the maximum of a concave function of two
potentials. If both values agree, plan and potentials are optimal; otherwise the gap bounds the possible improvement
(Peyre and Cuturi 2019, arXiv:1803.00567, sections 2.5 and 4.4). With KL(P | Q) = sum P log(P / Q) - P + Q:

    sinkhorn     min <P, C> + epsilon KL(P | a b^T)
                 max <a, f> + <b, g> - epsilon S
    unbalanced   min <P, C> + epsilon KL(P | a b^T) + rho KL(P 1 | a) + rho KL(P^T 1 | b)
                 max rho <a, 1 - exp(-f / rho)> + rho <b, 1 - exp(-g / rho)> - epsilon S
    partial      min <P, C> + epsilon KL(P | a b^T)  where  P 1 <= a,  P^T 1 <= b,  sum P = s
                 max <a, f> + <b, g> + l s - epsilon S  where  f <= 0,  g <= 0  (and l is added to f + g in P)
    exact, ipot  min <P, C>
                 max <a, f> + <b, g>  where  f_i + g_j <= C_ij

where S = sum P - sum a b^T, and f and g are those of P = a b^T exp((f + g - C) / epsilon): epsilon log a and
epsilon log b less than those of a ``Plan``. A plan that does not meet its marginals may cost less than the optimum, so
before convergence the gap may have either sign.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from optical.ot.problem import Plan, Potentials
from optical.ot.settings import Settings


def primal_value(plan: Plan, settings: Settings) -> Float[Tensor, " batch"]:
    """The objective of the method at this plan, in double precision."""
    matrix, a, b = plan.matrix.double(), plan.problem.a.double(), plan.problem.b.double()
    value = (matrix * plan.problem.real_cost.double()).sum((1, 2))
    if settings.method in ("exact", "ipot"):
        return value
    value = value + plan.epsilon.double() * _divergence(matrix, a.unsqueeze(2) * b.unsqueeze(1)).sum(2).sum(1)
    if settings.method == "unbalanced":
        rows, columns = _divergence(matrix.sum(2), a), _divergence(matrix.sum(1), b)
        value = value + _penalty(plan, settings) * (rows.sum(1) + columns.sum(1))
    return value


def dual_value(plan: Plan, settings: Settings) -> Float[Tensor, " batch"]:
    """The dual objective of the method at this plan's potentials, in double precision."""
    return _DUALS[settings.method](plan, settings)


def duality_gap(plan: Plan, settings: Settings) -> Float[Tensor, " batch"]:
    """Primal minus dual value: zero at the optimum."""
    return primal_value(plan, settings) - dual_value(plan, settings)


def entropy_of_potentials(
    value: Float[Tensor, " batch"],
    potentials: Potentials,
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    epsilon: float,
) -> Float[Tensor, " batch"]:
    """Entropy -sum P log P, in nats, of a plan P = exp((f + g - C) / epsilon) with these marginals and <P, C>.

    It is (<P, C> - <a, f> - <b, g>) / epsilon, so the plan itself is not needed.
    """
    paid = _dot(a.double(), potentials.f.double()) + _dot(b.double(), potentials.g.double())
    return ((value.double() - paid) / epsilon).to(value.dtype)


def _sinkhorn(plan: Plan, settings: Settings) -> Tensor:
    del settings
    f, g = _relative(plan)
    return _dot(plan.problem.a, f) + _dot(plan.problem.b, g) - _excess(plan)


def _unbalanced(plan: Plan, settings: Settings) -> Tensor:
    rho, (f, g) = _penalty(plan, settings).unsqueeze(1), _relative(plan)
    f, g = (-rho * torch.expm1(-side / rho) for side in (f, g))
    return _dot(plan.problem.a, f) + _dot(plan.problem.b, g) - _excess(plan)


def _partial(plan: Plan, settings: Settings) -> Tensor:
    f, g = _relative(plan)
    highest = [
        side.masked_fill(mass == 0, -torch.inf).amax(1, keepdim=True)
        for side, mass in ((f, plan.problem.a), (g, plan.problem.b))
    ]
    level = (highest[0] + highest[1]).squeeze(1)
    value = _dot(plan.problem.a, f - highest[0]) + _dot(plan.problem.b, g - highest[1])
    return value + level * settings.mass - _excess(plan)


def _linear(plan: Plan, settings: Settings) -> Tensor:
    """The dual of the linear programme at f and the largest g that it allows."""
    del settings
    problem = plan.problem
    slack = problem.cost.double() - plan.f.masked_fill(problem.a == 0, 0).unsqueeze(2)
    g = slack.masked_fill(~problem.real, torch.inf).amin(1)
    return _dot(problem.a, plan.f) + _dot(problem.b, g)


_DUALS: dict[str, Callable[[Plan, Settings], Tensor]] = {
    "sinkhorn": _sinkhorn,
    "unbalanced": _unbalanced,
    "partial": _partial,
    "exact": _linear,
    "ipot": _linear,
}


def _relative(plan: Plan) -> tuple[Tensor, Tensor]:
    """Potentials relative to the masses, zero on padding."""
    epsilon = plan.epsilon.double().unsqueeze(1)
    sides = ((plan.f, plan.problem.a.double()), (plan.g, plan.problem.b.double()))
    f, g = ((side - epsilon * mass.log()).masked_fill(mass == 0, 0) for side, mass in sides)
    return f, g


def _penalty(plan: Plan, settings: Settings) -> Float[Tensor, " batch"]:
    """The penalty of each problem: in the unit in which the plan's epsilon is the settings' one."""
    return settings.penalty * (plan.epsilon.double() / settings.epsilon)


def _excess(plan: Plan) -> Tensor:
    a, b = plan.problem.a.double(), plan.problem.b.double()
    return plan.epsilon.double() * (plan.matrix.double().sum((1, 2)) - a.sum(1) * b.sum(1))


def _dot(masses: Tensor, potentials: Tensor) -> Tensor:
    return (masses * potentials.masked_fill(masses == 0, 0)).sum(1)


def _divergence(p: Tensor, q: Tensor) -> Tensor:
    """The terms of KL(P | Q); P is zero where Q is."""
    return torch.special.xlogy(p, p / torch.where(q > 0, q, 1)) - p + q
