"""Partial transport: a given mass is moved where it is cheapest; the rest stays unaligned.

    min over P >= 0 of  <P, C> + epsilon KL(P | a b^T)   with  P 1 <= a,  P^T 1 <= b,  sum P = s

(``mass`` is s). Benamou, Carlier, Cuturi, Nenna and Peyre 2015, arXiv:1412.5154, project onto the three constraints in
turn. Here a half sweep satisfies two of them exactly: the rows and the total. It distributes s over the rows of the
plan in proportion to their present mass, up to their capacity a_i (water filling). On potentials this is the soft
minimum of the rows, cut off at a water level,

    f_i = min(level, s_i),    s_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon),

because the full rows have s_i below the level. Columns are treated likewise. Problems on which such sweeps converge
slowly are solved by Newton steps (``PartialDual``).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import UserError
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.log_domain import Logs, State, alternate, marginal
from optical.ot.sinkhorn.semidual import Quadratic, SemiDual, relative

_ROUNDING = 1e-5
_TINY = 1e-300
_WIDEST = 1.0
# Rounding difference of equal potentials after masses are added and subtracted.
_LEVEL = 1e-11


def solve(problem: Problem, settings: Settings, start: Potentials | None) -> Plan:
    """Solve every problem to the tolerance.

    ``marginal_error`` is the L1 distance of the plan's marginals from those after one more half sweep on either side.
    It is zero only at the optimum: a half sweep is the exact maximum of the concave dual over one side's potentials and
    the level, and each of its constraints involves one potential.

    Args:
        problem: the batch; the two sides may differ in mass.
        settings: epsilon, mass, tolerance, max_iterations.
        start: potentials of an earlier plan.

    Raises:
        UserError: the mass is larger than that of a side of a problem.
    """
    epsilon, mass = settings.epsilon, settings.mass
    _check(problem, mass)

    def residual(potential: Tensor, soft: Tensor, log_mass: Tensor) -> Tensor:
        return _change(potential, soft, log_mass, mass, epsilon)

    def sweep(logs: Logs, state: State) -> tuple[State, Tensor]:
        _, _, soft = state
        f = _fill(soft, logs.log_a, mass, epsilon)
        g = _fill(logs.column_minimum(f, epsilon), logs.log_b, mass, epsilon)
        soft = logs.row_minimum(g, epsilon)
        return (f, g, soft), residual(f, soft, logs.log_a)

    return alternate(problem, settings, start, sweep, residual)


def _check(problem: Problem, mass: float) -> None:
    most = torch.minimum(problem.a.double().sum(1), problem.b.double().sum(1))
    short = (most * (1 + _ROUNDING) < mass).nonzero()
    if len(short):
        row = int(short[0])
        what = f"cannot move a mass of {mass}, as one side has {float(most[row]):.6g}"
        raise UserError(f"problem {row}", what, "set mass to at most that of either side")


def _fill(soft: Tensor, log_capacity: Tensor, mass: float, epsilon: float) -> Tensor:
    """Potentials cut off at the water level at which one side holds ``mass`` (or all of its capacity).

    At level L token i holds capacity_i min(1, exp((L - soft_i) / epsilon)), so it is full from level soft_i on. A token
    is full if the side holds less than ``mass`` at that level; the others share the remaining mass.
    """
    full_at, capacity = soft / epsilon, log_capacity.exp()
    held = torch.exp((full_at.unsqueeze(2) - full_at.unsqueeze(1)).clamp_max(0)) @ capacity.unsqueeze(2)
    highest = full_at.masked_fill(capacity == 0, -torch.inf).amax(1)
    full = (held.squeeze(2) < mass) & (full_at < highest.unsqueeze(1))
    left = (mass - (capacity * full).sum(1)).clamp_min(_TINY)
    level = left.log() - torch.logsumexp((log_capacity - full_at).masked_fill(full, -torch.inf), 1)
    # If the full tokens hold exactly the mass, rounding may leave nothing to share.
    level = torch.minimum(level, highest).maximum(full_at.masked_fill(~full, -torch.inf).amax(1))
    return torch.minimum(soft, epsilon * level.unsqueeze(1))


def _change(potential: Tensor, soft: Tensor, log_capacity: Tensor, mass: float, epsilon: float) -> Tensor:
    """L1 distance between one side's marginal and its marginal after another water filling."""
    filled = _fill(soft, log_capacity, mass, epsilon)
    before, after = (marginal(side, soft, log_capacity, epsilon) for side in (potential, filled))
    return (before - after).abs().sum(1)


@dataclass(frozen=True)
class PartialDual(SemiDual):
    """The semi-dual of partial transport (units and names: ``semidual``).

    With a separate price of mass l, P = a b^T exp(u + v + l - C / epsilon), the dual is

        <a, u> + <b, v> + s l - sum P    over    u <= 0, v <= 0 and l.

    Here x = log a + u + l and y = log b + v, with the largest v at 0. Water filling gives the best u and l for a given
    v. To second order the open rows, those with u = 0, act as one row with all of their mass: with F the full rows and
    d the open rows' share of c,

        gradient b - c,    Hessian -(diag(c) - P_F^T diag(r_F)^-1 P_F - d d^T / <d, 1>).

    Columns at their bound with a gradient beyond it are held, that is, removed from the Hessian (Bertsekas 1982, SIAM
    J. Control Optim. 20(2), projected Newton), and so are rising columns within ten times the error of their bound.
    """

    mass: float

    def at(self, y: Float[Tensor, "batch target"]) -> "PartialDual":
        """The best x for this y."""
        y = y - _highest(self.b, y)
        return replace(self, y=y, x=self._filled(self.a, self.scores + y.unsqueeze(1), 2))

    def swept(self) -> "PartialDual":
        """The state after a sweep: columns, then rows."""
        return self.at(self._filled(self.b, self.scores + self.x.unsqueeze(2), 1))

    def _filled(self, mass: Tensor, exponents: Tensor, axis: int) -> Tensor:
        return mass.log() + _fill(-torch.logsumexp(exponents, axis), mass.log(), self.mass, 1.0)

    def moved(self, step: Float[Tensor, "batch target"]) -> "PartialDual":
        """The state after ``step`` on y, clamped to the bound, with the best x."""
        return self.at(self.b.log() + (relative(self.b, self.y) + step).clamp_max(0))

    def within_bounds(self, direction: Float[Tensor, "batch target"], near: Quadratic) -> Float[Tensor, "batch target"]:
        """The direction; if a constant is free, minus the constant that would move a column beyond its bound."""
        ahead = _highest(self.b, self.y + direction)
        return torch.where(near.gauge.any(1, keepdim=True), direction - ahead, direction)

    def value(self) -> Float[Tensor, " batch"]:
        """q, without the constant -s."""
        price = _highest(self.a, self.x)
        rows = (self.a * (relative(self.a, self.x) - price)).sum(1)
        return rows + (self.b * relative(self.b, self.y)).sum(1) + self.mass * price.squeeze(1)

    def quadratic(self) -> Quadratic:
        """q near this y; held columns do not depend on the others and move to their bound at most."""
        v, columns = relative(self.b, self.y), self.plan.sum(1)
        gradient = self.b - columns
        residual = torch.minimum(gradient, -v).abs().sum(1, keepdim=True)
        held = (gradient >= 0) & (v >= -(10 * residual).clamp(_LEVEL, _WIDEST))
        factor = self._factor() * (~held).to(columns.dtype).unsqueeze(1)
        gauge = torch.where((held & (self.b > 0)).any(1, keepdim=True), 0, columns)
        return Quadratic(torch.where(held, torch.minimum(gradient, -v * columns), gradient), columns, factor, gauge)

    def _factor(self) -> Float[Tensor, "batch rows target"]:
        """The plan's full rows and the sum of its open rows, each row divided by the root of its sum."""
        level = _highest(self.a, self.x) - _LEVEL
        is_open = ((self.a > 0) & (relative(self.a, self.x) >= level)).unsqueeze(2)
        shared = torch.where(is_open, self.plan, 0).sum(1, keepdim=True)
        rows = torch.cat([torch.where(is_open, 0, self.plan), shared], 1)
        return rows * rows.sum(2, keepdim=True).clamp_min(_TINY).rsqrt()

    def error(self) -> Float[Tensor, " batch"]:
        """L1 distance of the columns from those after another water filling; rows at the best x do not change."""
        soft = -torch.logsumexp(self.scores + self.x.unsqueeze(2), 1)
        return _change(relative(self.b, self.y), soft, self.b.log(), self.mass, 1.0)


def _highest(mass: Tensor, potential: Tensor) -> Float[Tensor, "batch 1"]:
    """The largest potential of a side, relative to the masses."""
    return torch.where(mass > 0, potential - mass.log(), -torch.inf).amax(1, keepdim=True)
