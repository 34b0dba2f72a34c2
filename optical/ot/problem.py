"""The input and the output of a transport solver: ``Problem``, ``Potentials`` and ``Plan``."""

from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from optical.ot import checks

# Rounding masses to bfloat16 changes their sum by less than this.
_HALF_ROUNDING = 0.01

LARGE_COST = 1e30
"""Replaces infinite costs in solvers: no plan uses such a cell, and 0 times it is not NaN."""


@dataclass(frozen=True)
class Problem:
    """A padded batch of independent transport problems: min <P, C> over P with marginals a and b.

    A token is real if its mass is positive. Padding may be anywhere in a row; it has exactly zero mass, and its costs
    are ignored. A cell of infinite cost carries no mass. Tensors are float32 or float64. Half precision is converted to
    float32, and b is then scaled to the mass of a, because rounded masses do not sum to one.

    Types, shapes and devices are checked here; the values of masses and costs are checked by ``solve``.

    Raises:
        UserError: a wrong type, number of dimensions, shape, precision or device.
    """

    cost: Float[Tensor, "batch source target"]
    a: Float[Tensor, "batch source"]
    b: Float[Tensor, "batch target"]

    def __post_init__(self) -> None:
        if not checks.is_consistent(self.cost, self.a, self.b):
            self._widen()

    def _widen(self) -> None:
        given = {"cost": self.cost, "a": self.a, "b": self.b}
        checks.arguments(given, {"cost": "batch source target", "a": "batch source", "b": "batch target"})
        widened = {name: side.float() for name, side in given.items() if side.dtype in checks.HALF}
        checks.one_precision(given | widened)
        for name, side in widened.items():
            object.__setattr__(self, name, side)
        if not widened.keys().isdisjoint("ab"):
            checks.masses(self.a, self.b)
            object.__setattr__(self, "b", _rescaled(self.b, self.a.sum(1), self.b.sum(1)))

    @property
    def real(self) -> Bool[Tensor, "batch source target"]:
        """Whether a cell is between two real tokens."""
        return (self.a > 0).unsqueeze(2) & (self.b > 0).unsqueeze(1)

    @property
    def real_cost(self) -> Float[Tensor, "batch source target"]:
        """The cost, with zeros on padding."""
        return self.cost.masked_fill(~self.real, 0)

    def rows(self, index: Int[Tensor, " chosen"] | slice) -> "Problem":
        """The problems at ``index`` as a batch."""
        return Problem(self.cost[index], self.a[index], self.b[index])


@dataclass(frozen=True)
class Potentials:
    """Dual variables of the tokens of both sides, in the cost's units."""

    f: Float[Tensor, "batch source"]
    g: Float[Tensor, "batch target"]


@dataclass(frozen=True)
class Plan:
    """A transport plan, its potentials and its convergence.

    Args:
        problem: what was solved.
        f: source potentials, in double precision (single precision is too coarse at small epsilon);
            -inf on padding.
        g: target potentials, likewise. If the method has an epsilon, P = exp((f + g - C) / epsilon).
        epsilon: regularisation per problem; 0 for an exact plan.
        marginal_error: L1 distance of P's marginals from a and b (for ``partial`` and ``unbalanced``, the distance
            from the optimality condition of the method, see there).
        iterations: sweeps (and Newton steps) spent on each problem.
        converged: whether ``marginal_error`` is within the tolerance.
        given_matrix: the plan, if the solver computed it; otherwise it is computed from the potentials.
        given_cost: <P, C>, if the solver computed it.
    """

    problem: Problem
    f: Float[Tensor, "batch source"]
    g: Float[Tensor, "batch target"]
    epsilon: Float[Tensor, " batch"]
    marginal_error: Float[Tensor, " batch"]
    iterations: Int[Tensor, " batch"]
    converged: Bool[Tensor, " batch"]
    given_matrix: Float[Tensor, "batch source target"] | None = field(default=None, repr=False)
    given_cost: Float[Tensor, " batch"] | None = field(default=None, repr=False)

    @cached_property
    def matrix(self) -> Float[Tensor, "batch source target"]:
        """P, in the problem's precision, exactly zero on padding."""
        if self.given_matrix is not None:
            return self.given_matrix
        slack = self.f.unsqueeze(2) + self.g.unsqueeze(1) - self.problem.real_cost.double()
        return torch.exp(slack / self.epsilon.double().view(-1, 1, 1)).to(self.problem.cost.dtype)

    @cached_property
    def transport_cost(self) -> Float[Tensor, " batch"]:
        """<P, C>, without any regularisation term."""
        if self.given_cost is not None:
            return self.given_cost
        return (self.matrix * self.problem.real_cost).sum((1, 2))

    def entropy(self) -> Float[Tensor, " batch"]:
        """Entropy of the plan in nats, -sum P log P: 0 for a single cell, log(n m) for the uniform plan."""
        return torch.special.entr(self.matrix).sum((1, 2))


def _rescaled(b: Tensor, source: Tensor, target: Tensor) -> Tensor:
    """b scaled to the mass of a, if both agree within the rounding of half precision."""
    near = (source - target).abs() <= _HALF_ROUNDING * source
    return b * torch.where(near, source / target, 1).unsqueeze(1)
