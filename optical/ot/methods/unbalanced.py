"""Unbalanced transport: mass may be left behind or made up, at a price.

A word without a counterpart should not be forced onto some token of the other side. The marginals become soft:

    min over P >= 0 of  <P, C> + epsilon KL(P | a b^T) + rho KL(P 1 | a) + rho KL(P^T 1 | b)

with KL(P | Q) = sum P log(P / Q) - P + Q and the price rho (``penalty``) in the cost's units. As rho grows, the
balanced problem returns; as it falls, less and less mass moves: only cells much cheaper than rho are worth it.

With P = a b^T exp((f + g - C) / epsilon), the dual is concave in the potentials,

    max over f, g of  rho <a, 1 - exp(-f / rho)> + rho <b, 1 - exp(-g / rho)> + epsilon <a b^T, 1> - epsilon sum P,

and its maximum over f alone is f = tau s, s the soft minimum of the rows and tau = rho / (rho + epsilon). Taken
in turns, such steps crawl when rho >> epsilon: a constant moved from f to g hardly changes the plan, and each step
may move little of it. So each half sweep here maximises over f *and* that constant at once, which has a closed form
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
    of P^T 1 from b exp(-g / rho), which are the marginals that the potentials ask for. It is zero at the optimum
    alone, and turns into the balanced marginal error as rho grows.

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
    """One side's potentials at their best, together with the constant that the other side's lose."""
    tau = rho / (rho + epsilon)
    own_mass = torch.logsumexp(log_own - tau * soft / rho, 1, keepdim=True)
    other_mass = torch.logsumexp(log_other - other / rho, 1, keepdim=True)
    moved = rho / (1 + tau) * (own_mass - other_mass)
    return tau * (soft + moved), other - moved


def _gradient(potential: Tensor, soft: Tensor, log_mass: Tensor, epsilon: float, rho: float) -> Tensor:
    """L1 norm of the dual's gradient on one side: the marginal the plan has against the one the potentials ask for."""
    asked = torch.exp(log_mass - potential / rho)
    return (marginal(potential, soft, log_mass, epsilon) - asked).abs().sum(1)
