"""Unbalanced transport: mass may be destroyed or created, at a price.

A word without a translation should not be aligned with some token of the other side. Marginals become soft:

    min over P >= 0 of  <P, C> + epsilon KL(P | a b^T) + rho KL(P 1 | a) + rho KL(P^T 1 | b)

with KL(P | Q) = sum P log(P / Q) - P + Q and the price rho (``penalty``) in the cost's units. For large rho the problem
tends to the balanced one; for small rho less mass moves, and only in cells much cheaper than rho.

With P = a b^T exp((f + g - C) / epsilon), the dual is concave in the potentials,

    max over f, g of  rho <a, 1 - exp(-f / rho)> + rho <b, 1 - exp(-g / rho)> + epsilon <a b^T, 1> - epsilon sum P,

and its maximum over f is f = tau s, with s the soft minimum of the rows and tau = rho / (rho + epsilon). Alternating
such steps converges slowly when rho >> epsilon: moving a constant from f to g hardly changes the plan, and each step
moves little of it. Each half sweep here therefore maximises over f and this constant jointly, in closed form
(Sejourne, Vialard and Peyre 2022, arXiv:2201.00730, translation-invariant Sinkhorn).
"""

import torch
from torch import Tensor

from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.log_domain import Logs, State, alternate, marginal


def solve(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Solve every problem to the tolerance; the two sides may differ in mass.

    ``marginal_error`` is the L1 norm of the dual's gradient: the distance of P 1 from a exp(-f / rho) plus that
    of P^T 1 from b exp(-g / rho), the marginals implied by the potentials. It is zero only at the optimum, and tends
    to the balanced marginal error for large rho.

    Args:
        problem: the batch; a cost shifted up by a constant moves less mass.
        settings: epsilon, penalty, tolerance, max_iterations.
        start: potentials of an earlier plan.
    """
    epsilon, rho = settings.epsilon, settings.penalty

    def residual(potential: Tensor, soft: Tensor, log_mass: Tensor) -> Tensor:
        return _gradient(potential, soft, log_mass, epsilon, rho)

    def sweep(logs: Logs, state: State) -> tuple[State, Tensor]:
        _, g, soft = state
        f, g = _ascend(soft, logs.log_a, g, logs.log_b, epsilon, rho)
        g, f = _ascend(logs.column_minimum(f, epsilon), logs.log_b, f, logs.log_a, epsilon, rho)
        soft = logs.row_minimum(g, epsilon)
        return (f, g, soft), residual(f, soft, logs.log_a)

    return alternate(problem, settings, start, sweep, residual)


def _ascend(
    soft: Tensor, log_own: Tensor, other: Tensor, log_other: Tensor, epsilon: float, rho: float
) -> tuple[Tensor, Tensor]:
    """The optimal potentials of one side, and the other side's minus the optimal constant."""
    tau = rho / (rho + epsilon)
    own_mass = torch.logsumexp(log_own - tau * soft / rho, 1, keepdim=True)
    other_mass = torch.logsumexp(log_other - other / rho, 1, keepdim=True)
    moved = rho / (1 + tau) * (own_mass - other_mass)
    return tau * (soft + moved), other - moved


def _gradient(potential: Tensor, soft: Tensor, log_mass: Tensor, epsilon: float, rho: float) -> Tensor:
    """L1 norm of the dual's gradient on one side: the plan's marginal minus the one implied by the potentials."""
    implied = torch.exp(log_mass - potential / rho)
    return (marginal(potential, soft, log_mass, epsilon) - implied).abs().sum(1)
