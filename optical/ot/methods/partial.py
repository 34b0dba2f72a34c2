"""Partial transport: a given share of the mass is moved, where it is cheapest; the rest stays unaligned.

    min over P >= 0 of  <P, C> + epsilon KL(P | a b^T)   with  P 1 <= a,  P^T 1 <= b,  sum P = s

(``mass`` is s). Benamou, Carlier, Cuturi, Nenna and Peyre 2015, arXiv:1412.5154, project in turns onto the
three constraints. Here a half sweep meets two of them exactly: the rows and the total. It pours s over the rows of
the plan, each in proportion to what it holds, none above its capacity a_i, as water fills vessels under lids. On
potentials that is the soft minimum of the rows cut off at a water level,

    f_i = min(level, s_i),    s_i = -epsilon log sum_j b_j exp((g_j - C_ij) / epsilon),

for the full rows have s_i below the level. The columns follow likewise. Where such sweeps crawl, Newton steps follow
(``PartialDual``).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import UserError
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.log_domain import Logs, State, alternate, marginal
from optical.ot.sinkhorn.semidual import Quadratic, SemiDual, bare

_ROUNDING = 1e-5
_TINY = 1e-300
_WIDEST = 1.0
# Equal potentials differ by as much once masses have been added and taken off.
_LEVEL = 1e-11


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


@dataclass(frozen=True)
class PartialDual(SemiDual):
    """The semi-dual of partial transport (units and names: ``semidual``).

    With the price of mass l apart, P = a b^T exp(u + v + l - C / epsilon), the dual is

        <a, u> + <b, v> + s l - sum P    over    u <= 0, v <= 0 and l.

    Here x = log a + u + l and y = log b + v, with the largest v at 0. The best u and l for a given v are poured. To
    second order the open rows, those with u = 0, act as one row that holds all of their mass: with F the full rows and
    d the open rows' share of c,

        gradient b - c,    Hessian -(diag(c) - P_F^T diag(r_F)^-1 P_F - d d^T / <d, 1>).

    Columns at their bound that would rise further are held: they leave the Hessian (Bertsekas 1982, SIAM J. Control
    Optim. 20(2), projected Newton), and so do rising columns no further from it than ten times the error that is left.
    """

    mass: float

    def at(self, y: Float[Tensor, "batch target"]) -> "PartialDual":
        """The best x for this y."""
        y = y - _highest(self.b, y)
        return replace(self, y=y, x=self._poured(self.a, self.scores + y.unsqueeze(1), 2))

    def swept(self) -> "PartialDual":
        """A sweep later: columns, then rows."""
        return self.at(self._poured(self.b, self.scores + self.x.unsqueeze(2), 1))

    def _poured(self, mass: Tensor, exponents: Tensor, axis: int) -> Tensor:
        return mass.log() + _pour(-torch.logsumexp(exponents, axis), mass.log(), self.mass, 1.0)

    def moved(self, step: Float[Tensor, "batch target"]) -> "PartialDual":
        """This far away or at the bound, at the best x."""
        return self.at(self.b.log() + (bare(self.b, self.y) + step).clamp_max(0))

    def within_bounds(self, direction: Float[Tensor, "batch target"], near: Quadratic) -> Float[Tensor, "batch target"]:
        """The direction, less the constant that would lift some column above its bound where a constant is free."""
        ahead = _highest(self.b, self.y + direction)
        return torch.where(near.gauge.any(1, keepdim=True), direction - ahead, direction)

    def value(self) -> Float[Tensor, " batch"]:
        """q, without the constant -s."""
        price = _highest(self.a, self.x)
        rows = (self.a * (bare(self.a, self.x) - price)).sum(1)
        return rows + (self.b * bare(self.b, self.y)).sum(1) + self.mass * price.squeeze(1)

    def quadratic(self) -> Quadratic:
        """q near this y, where held columns are free of the others and rise to their bound at most."""
        v, columns = bare(self.b, self.y), self.plan.sum(1)
        gradient = self.b - columns
        residual = torch.minimum(gradient, -v).abs().sum(1, keepdim=True)
        held = (gradient >= 0) & (v >= -(10 * residual).clamp(_LEVEL, _WIDEST))
        factor = self._factor() * (~held).to(columns.dtype).unsqueeze(1)
        gauge = torch.where((held & (self.b > 0)).any(1, keepdim=True), 0, columns)
        return Quadratic(torch.where(held, torch.minimum(gradient, -v * columns), gradient), columns, factor, gauge)

    def _factor(self) -> Float[Tensor, "batch rows target"]:
        """The plan with its open rows added up to one more, each row over the root of its sum."""
        level = _highest(self.a, self.x) - _LEVEL
        opened = ((self.a > 0) & (bare(self.a, self.x) >= level)).unsqueeze(2)
        shared = torch.where(opened, self.plan, 0).sum(1, keepdim=True)
        rows = torch.cat([torch.where(opened, 0, self.plan), shared], 1)
        return rows * rows.sum(2, keepdim=True).clamp_min(_TINY).rsqrt()

    def error(self) -> Float[Tensor, " batch"]:
        """L1 distance of the columns from what pouring anew would make of them; rows at the best x are poured."""
        soft = -torch.logsumexp(self.scores + self.x.unsqueeze(2), 1)
        return _change(bare(self.b, self.y), soft, self.b.log(), self.mass, 1.0)


def _highest(mass: Tensor, potential: Tensor) -> Float[Tensor, "batch 1"]:
    """The largest of a side's potentials without masses."""
    return torch.where(mass > 0, potential - mass.log(), -torch.inf).amax(1, keepdim=True)
