"""Partial transport: a given share of the mass is moved, where it is cheapest; the rest stays unaligned.

    min over P >= 0 of  <P, C> + epsilon KL(P | a b^T)   with  P 1 <= a,  P^T 1 <= b,  sum P = s

(``mass`` is s). Benamou, Carlier, Cuturi, Nenna and Peyre 2015, arXiv:1412.5154, project in turns onto the
three constraints. Here a half sweep meets two of them exactly: the rows and the total. It pours s over the rows of
the plan, each in proportion to what it holds, none above its capacity a_i, as water fills vessels under lids. On
potentials that is the soft minimum of the rows cut off at a water level,

    f_i = min(level, s_i),    s_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon),

for the full rows have s_i below the level. The columns follow likewise.
"""

import torch
from torch import Tensor

from optical.errors import UserError
from optical.ot.log_domain import Logs, State, alternate, marginal
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings

_ROUNDING = 1e-5
_TINY = 1e-300


def solve(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Solve every problem to the tolerance.

    ``marginal_error`` is the L1 distance of the plan's marginals from those that one more half sweep on either side
    would give it. It is zero at the optimum alone: a half sweep is the exact maximum of the concave dual over one
    side's potentials and the level, and its constraints bind one potential each.

    Args:
        problem: the batch; the two sides may differ in mass.
        settings: epsilon, mass, tolerance, max_iterations.
        start: potentials of an earlier plan.

    Raises:
        UserError: the mass is more than one side of a problem has.
    """
    epsilon, mass = settings.epsilon, settings.mass
    _check(problem, mass)

    def residual(potential: Tensor, soft: Tensor, log_mass: Tensor) -> Tensor:
        return _change(potential, soft, log_mass, mass, epsilon)

    def sweep(logs: Logs, state: State) -> tuple[State, Tensor]:
        _, _, soft = state
        f = _pour(soft, logs.log_a, mass, epsilon)
        g = _pour(logs.column_minimum(f, epsilon), logs.log_b, mass, epsilon)
        soft = logs.row_minimum(g, epsilon)
        return (f, g, soft), residual(f, soft, logs.log_a)

    return alternate(problem, settings, start, sweep, residual)


def _check(problem: Problem, mass: float) -> None:
    most = torch.minimum(problem.a.double().sum(1), problem.b.double().sum(1))
    short = (most * (1 + _ROUNDING) < mass).nonzero()
    if len(short):
        row = int(short[0])
        what = f"a mass of {mass} is to be moved, and one side has {float(most[row]):.6g}"
        raise UserError(f"problem {row}", what, "set mass to at most that of either side")


def _pour(soft: Tensor, log_capacity: Tensor, mass: float, epsilon: float) -> Tensor:
    """Potentials cut off at the level at which one side holds ``mass`` (or all that it can).

    At level L vessel i holds capacity_i min(1, exp((L - soft_i) / epsilon)), so soft_i is its brim. The full vessels
    are those at whose brim the side holds too little yet; the open ones share what is left.
    """
    brim, capacity = soft / epsilon, log_capacity.exp()
    at_brim = torch.exp((brim.unsqueeze(2) - brim.unsqueeze(1)).clamp_max(0)) @ capacity.unsqueeze(2)
    highest = brim.masked_fill(capacity == 0, -torch.inf).amax(1)
    full = (at_brim.squeeze(2) < mass) & (brim < highest.unsqueeze(1))
    left = (mass - (capacity * full).sum(1)).clamp_min(_TINY)
    level = left.log() - torch.logsumexp((log_capacity - brim).masked_fill(full, -torch.inf), 1)
    # Rounding may leave nothing to share where the full vessels hold just the mass.
    level = torch.minimum(level, highest).maximum(brim.masked_fill(~full, -torch.inf).amax(1))
    return torch.minimum(soft, epsilon * level.unsqueeze(1))


def _change(potential: Tensor, soft: Tensor, log_capacity: Tensor, mass: float, epsilon: float) -> Tensor:
    """L1 distance between one side's marginal and what pouring anew would make of it."""
    poured = _pour(soft, log_capacity, mass, epsilon)
    has, gets = (marginal(of, soft, log_capacity, epsilon) for of in (potential, poured))
    return (has - gets).abs().sum(1)
