"""The semi-dual q(y): the dual of transport, maximised over the potentials of one side. Newton steps maximise it.

In units of epsilon (x = f / epsilon, y = g / epsilon; relative to masses u = x - log a and v = y - log b) the dual of
balanced and of unbalanced transport is

    <a, phi(u)> + <b, phi(v)> - sum P,    phi(u) = u, or (1 - exp(-t u)) / t where marginals are relaxed,

with t = epsilon / rho (t = 0 is the balanced problem). The potentials imply the marginals a phi'(u) = a exp(-t u) and
b exp(-t v). The best x for a given y is the row update of a sweep, u_i = -log sum_j exp(y_j - C_ij / epsilon) /
(1 + t). Inserting it gives q(y), with

    gradient b exp(-t v) - c,    Hessian -(diag(c + t b exp(-t v)) - P^T diag((1 + t) r)^-1 P),

where P is the plan of x(y) and y, r its row sums and c its column sums (Cuturi and Peyre 2016, arXiv:1503.02533;
Brauer, Clason, Lorenz and Wirth 2017, arXiv:1710.06635). The Hessian is the Schur complement of that of the full dual.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Quadratic(NamedTuple):
    """q near y to second order; its Hessian is -(diag(diagonal) - factor^T factor)."""

    gradient: Float[Tensor, "batch target"]
    diagonal: Float[Tensor, "batch target"]
    factor: Float[Tensor, "batch rows target"]
    gauge: Float[Tensor, "batch target"]
    """Not zero if adding a constant to y does not change q; its outer product makes the Hessian regular."""


@dataclass(frozen=True)
class SemiDual(ABC):
    """Problems in units of epsilon and double precision: scores -C / epsilon, masses, and potentials x and y."""

    scores: Float[Tensor, "batch source target"]
    a: Float[Tensor, "batch source"]
    b: Float[Tensor, "batch target"]
    x: Float[Tensor, "batch source"]
    y: Float[Tensor, "batch target"]

    @abstractmethod
    def at(self, y: Float[Tensor, "batch target"]) -> "SemiDual":
        """The best x for this y."""

    @abstractmethod
    def swept(self) -> "SemiDual":
        """The state after a sweep: columns, then rows."""

    @abstractmethod
    def value(self) -> Float[Tensor, " batch"]:
        """q, up to a constant of each problem."""

    @abstractmethod
    def quadratic(self) -> Quadratic:
        """q near this y."""

    @abstractmethod
    def error(self) -> Float[Tensor, " batch"]:
        """The ``marginal_error`` of the plan."""

    def within_bounds(self, direction: Float[Tensor, "batch target"], near: Quadratic) -> Float[Tensor, "batch target"]:
        """The direction without components that only leave the domain of y."""
        return direction

    def moved(self, step: Float[Tensor, "batch target"]) -> "SemiDual":
        """The state after ``step`` on y, with the best x."""
        return self.at(self.y + step)

    @cached_property
    def plan(self) -> Float[Tensor, "batch source target"]:
        """P of x and y."""
        return (self.scores + self.x.unsqueeze(2) + self.y.unsqueeze(1)).exp()

    def rows(self, index: Tensor) -> "SemiDual":
        """The problems at ``index``."""
        parts = {name: getattr(self, name)[index] for name in ("scores", "a", "b", "x", "y")}
        return replace(self, **parts)


def relative(mass: Tensor, potential: Tensor) -> Tensor:
    """Potentials of a side relative to its masses; 0 on padding."""
    return torch.where(mass > 0, potential - mass.log(), 0)


@dataclass(frozen=True)
class RelaxedDual(SemiDual):
    """The semi-dual of balanced transport, and of transport with marginals relaxed by a Kullback-Leibler penalty."""

    relaxation: float
    """t: epsilon / rho, or 0 for balanced problems."""

    def at(self, y: Float[Tensor, "batch target"]) -> "RelaxedDual":
        """The best x for this y."""
        return replace(self, y=y, x=self._best(self.a, self.scores + y.unsqueeze(1), 2))

    def swept(self) -> "RelaxedDual":
        """The state after a sweep: columns, then rows."""
        return self.at(self._best(self.b, self.scores + self.x.unsqueeze(2), 1))

    def _best(self, mass: Tensor, exponents: Tensor, axis: int) -> Tensor:
        return mass.log() - torch.logsumexp(exponents, axis) / (1 + self.relaxation)

    def value(self) -> Float[Tensor, " batch"]:
        """q."""
        linear = self._dual_term(self.a, self.x) + self._dual_term(self.b, self.y)
        return linear - self._implied(self.a, self.x).sum(1)

    def _dual_term(self, mass: Tensor, potential: Tensor) -> Float[Tensor, " batch"]:
        u, t = relative(mass, potential), self.relaxation
        return (mass * (torch.expm1(-t * u) / -t if t else u)).sum(1)

    def _implied(self, mass: Tensor, potential: Tensor) -> Tensor:
        """The marginal implied by the potentials of a side; at the best x the row sums of the plan."""
        return mass * torch.exp(-self.relaxation * relative(mass, potential))

    def quadratic(self) -> Quadratic:
        """q near this y."""
        t, columns, implied = self.relaxation, self.plan.sum(1), self._implied(self.b, self.y)
        rows = (1 + t) * self._implied(self.a, self.x)
        factor = self.plan * torch.where(rows > 0, rows, 1).rsqrt().unsqueeze(2)
        gauge = columns if t == 0 else torch.zeros_like(columns)
        return Quadratic(implied - columns, columns + t * implied, factor, gauge)

    def error(self) -> Float[Tensor, " batch"]:
        """L1 distance of the plan's marginals from those implied by the potentials."""
        rows = self.plan.sum(2) - self._implied(self.a, self.x)
        columns = self.plan.sum(1) - self._implied(self.b, self.y)
        return rows.abs().sum(1) + columns.abs().sum(1)
