"""IPOT, the inexact proximal point method: exact transport as the limit of entropic steps.

It solves a sequence of entropic problems, each regularised towards the plan of the one before:

    P_t = argmin over P of  <P, C> + beta KL(P | P_(t-1)),    P_0 = 1 1^T,

one Sinkhorn sweep per step (Xie, Wang, Wang and Zha 2018, arXiv:1802.04307, Alg. 1 with L = 1), which UNITER uses for
its word-region alignment with beta 0.5 and 50 steps (Chen et al. 2020, arXiv:1909.11740). The product of t kernels is
exp(-C / beta)^t, so step t is a Sinkhorn sweep at epsilon = beta / t. The column scaling from step t - 1 starts this
sweep at an extrapolation of the last column potential along its last change. IPOT is thus Sinkhorn with decreasing
epsilon and momentum.
"""

import torch

from optical.errors import UserError
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.log_domain import Logs, as_plan, marginal


def solve(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Take ``max_iterations`` proximal steps on every problem.

    There is no early stop: the number of steps decides how exact the plan is, and the marginal error does not measure
    this. The plan's epsilon is beta / steps, and its potentials are those of the plan at this epsilon.

    Args:
        problem: the batch.
        settings: epsilon (beta), max_iterations (steps), tolerance (of the marginals, for ``converged``).
        start: must be None; the steps start from a plan of ones.

    Raises:
        UserError: start potentials were given.
    """
    if start is not None:
        raise UserError("start", "ipot takes no potentials: its steps start from a plan of ones", "leave start out")
    beta, steps, logs = settings.epsilon, settings.max_iterations, Logs.of(problem)
    # Column potentials times the step number, because step t adds its sweep to the exponents of the t - 1 before.
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
