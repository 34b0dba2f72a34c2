"""IPOT, the inexact proximal point method: exact transport, approached through entropic steps.

Exact transport is solved by a sequence of entropic problems, each regularised towards the last one's plan:

    P_t = argmin over P of  <P, C> + beta KL(P | P_(t-1)),    P_0 = 1 1^T,

one Sinkhorn sweep per step (Xie, Wang, Wang and Zha 2018, arXiv:1802.04307, Alg. 1 with L = 1), which UNITER uses for
its word-region alignment with beta 0.5 and 50 steps (Chen et al. 2020, arXiv:1909.11740). The kernels multiply,
exp(-C / beta) to the power t, so step t is a Sinkhorn sweep at epsilon = beta / t, and the column scaling that is
carried over into step t starts that sweep not at the last column potential but beyond it, extrapolated along its last
change. IPOT is Sinkhorn under falling epsilon, with momentum.
"""

import torch

from optical.errors import UserError
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.log_domain import Logs, as_plan, marginal


def solve(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Take ``max_iterations`` proximal steps on every problem.

    There is no early stop: the number of steps decides how exact the plan is, and a small marginal error says nothing
    about that. The plan's epsilon is beta / steps, and its potentials give it back.

    Args:
        problem: the batch.
        settings: epsilon (beta), max_iterations (steps), tolerance (of the marginals, for ``converged``).
        start: none; the steps begin at a plan of ones.

    Raises:
        UserError: start potentials were given.
    """
    if start is not None:
        raise UserError("start", "ipot takes no potentials: its steps begin at a plan of ones", "leave start out")
    beta, steps, logs = settings.epsilon, settings.max_iterations, Logs.of(problem)
    # Column potentials times the step: step t adds its own sweep to the exponents of the t - 1 before.
    last = before = (-beta * logs.log_b).nan_to_num(posinf=0)
    for step in range(1, steps + 1):
        epsilon = beta / step
        f = logs.row_minimum((2 * last - before) / step, epsilon)
        g = logs.column_minimum(f, epsilon)
        before, last = last, step * g
    rows = marginal(f, logs.row_minimum(g, epsilon), logs.log_a, epsilon)
    error = (rows - problem.a).abs().sum(1)
    iterations = torch.full_like(error, steps, dtype=torch.int64)
    return as_plan(problem, logs.with_masses(f, g, epsilon), epsilon, error, iterations, settings.tolerance)
