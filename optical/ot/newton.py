"""Newton's method on the dual, for the few problems that Sinkhorn's sweeps leave unconverged.

At small epsilon the sweeps of some problems gain a thousandth each; Newton steps gain digits. In units of epsilon
(x = f / epsilon, y = g / epsilon) the best x for a given y is a sweep's row update, x_i = log a_i -
log sum_j exp(y_j - C_ij / epsilon), and what is left is to maximise the semi-dual

    q(y) = <a, x(y)> + <b, y>,    gradient b - c,    Hessian -(diag(c) - P^T diag(a)^-1 P),

where P is the plan of x(y) and y, and c its column sums (Cuturi and Peyre 2016, arXiv:1503.02533; Brauer, Clason,
Lorenz and Wirth 2017, arXiv:1710.06635). The Hessian is the Schur complement of the full dual one. Scaled by
diag(c)^(-1/2) on both sides it has eigenvalues in [0, 1], and a zero only for the constant that may be moved from f to
g, which a rank one term fixes; a little damping keeps it solvable where the plan falls apart into blocks.

A step moves no potential by more than a hundred epsilon, is quartered until q rises, and is followed by one sweep in
the log domain.
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from optical.ot.chunks import chunks
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings

_MOST_STEPS = 60
_LONGEST = 100.0
_DAMPING = 1e-10
_TRIALS = 4
_SHARE = 0.95


def finish(plan: Plan, settings: Settings) -> Plan:
    """The plan with its unconverged problems converged, as far as ``max_iterations`` and 60 steps allow.

    Args:
        plan: of Sinkhorn's sweeps; its potentials are the start.
        settings: epsilon, tolerance and most iterations.
    """
    if plan.converged.all():
        return plan
    left = (~plan.converged).nonzero().squeeze(1)
    steps = min(_MOST_STEPS, settings.max_iterations - int(plan.iterations[left].amax()))
    if steps < 1:
        return plan
    copied = (plan.f, plan.g, plan.marginal_error, plan.iterations, plan.converged, plan.matrix)
    f, g, error, iterations, converged, matrix = (tensor.clone() for tensor in copied)
    result = replace(
        plan, f=f, g=g, marginal_error=error, iterations=iterations, converged=converged, given_matrix=matrix
    )
    problem = plan.problem.rows(left)
    for index, n, m in chunks(problem):
        start = _State.of(problem, plan.g[left], settings.epsilon, index, n, m)
        _run(start, left[index], settings, steps, result)
    converged.copy_(error <= settings.tolerance)
    return replace(result, given_cost=None) if plan.given_cost is None else _with_cost(result, left)


def _with_cost(plan: Plan, index: Int[Tensor, " chosen"]) -> Plan:
    cost = plan.given_cost.clone()
    cost[index] = (plan.matrix[index] * plan.problem.rows(index).real_cost).sum((1, 2)).to(cost.dtype)
    return replace(plan, given_cost=cost)


@dataclass(frozen=True)
class _State:
    """Problems in units of epsilon and double precision: scores -C / epsilon, masses, and potentials x and y."""

    scores: Float[Tensor, "batch source target"]
    a: Float[Tensor, "batch source"]
    b: Float[Tensor, "batch target"]
    x: Float[Tensor, "batch source"]
    y: Float[Tensor, "batch target"]

    @classmethod
    def of(cls, problem: Problem, g: Tensor, epsilon: float, index: Tensor, n: int, m: int) -> "_State":
        a, b = problem.a[index, :n].double(), problem.b[index, :m].double()
        padding = (a == 0).unsqueeze(2) | (b == 0).unsqueeze(1)
        scores = (problem.cost[:, :n, :m][index].double() / -epsilon).masked_fill_(padding, 0)
        y = g[index, :m].double() / epsilon
        return cls(scores, a, b, torch.zeros_like(a), y).at(y)

    def at(self, y: Float[Tensor, "batch target"]) -> "_State":
        """The best x for this y."""
        return replace(self, y=y, x=self.a.log() - torch.logsumexp(self.scores + y.unsqueeze(1), 2))

    def swept(self) -> "_State":
        """A sweep later: columns, then rows."""
        return self.at(self.b.log() - torch.logsumexp(self.scores + self.x.unsqueeze(2), 1))

    def plan(self) -> Float[Tensor, "batch source target"]:
        return (self.scores + self.x.unsqueeze(2) + self.y.unsqueeze(1)).exp()

    def value(self) -> Float[Tensor, " batch"]:
        """The semi-dual q."""
        return _dot(self.a, self.x) + _dot(self.b, self.y)

    def rows(self, index: Tensor) -> "_State":
        return _State(self.scores[index], self.a[index], self.b[index], self.x[index], self.y[index])


def _run(state: _State, index: Int[Tensor, " batch"], settings: Settings, steps: int, result: Plan) -> None:
    for step in range(1, steps + 1):
        state = _ascend(state).swept()
        error = (state.plan().sum(1) - state.b).abs().sum(1)
        done = (error <= _SHARE * settings.tolerance) | (step == steps)
        if done.any():
            _write(state.rows(done), index[done], settings.epsilon, step, result)
            state, index = state.rows(~done), index[~done]
        if not len(index):
            return


def _ascend(state: _State) -> _State:
    """The state after a Newton step on y, as long as it may be and as short as q needs it."""
    plan = state.plan()
    columns = plan.sum(1)
    gradient = state.b - columns
    direction = _direction(plan, state.a, columns, gradient)
    length = (_LONGEST / direction.abs().amax(1).clamp_min(_LONGEST)).unsqueeze(1)
    value, slope = state.value(), (gradient * direction).sum(1)
    noise = 1e-13 * value.abs()
    for _ in range(_TRIALS):
        there = state.at(state.y + length * direction)
        risen = there.value() >= value + 1e-4 * length.squeeze(1) * slope - noise
        if risen.all():
            return there
        length = torch.where(risen.unsqueeze(1), length, length / 4)
    return state.at(state.y + torch.where(risen.unsqueeze(1), length, 0) * direction)


def _direction(plan: Tensor, a: Tensor, columns: Tensor, gradient: Tensor) -> Float[Tensor, "batch target"]:
    """Newton's step on y: minus the inverse Hessian times the gradient."""
    row_scale, scale = (torch.where(mass > 0, mass, 1).rsqrt() for mass in (a, columns))
    scaled = plan * row_scale.unsqueeze(2) * scale.unsqueeze(1)
    gauge = columns.sqrt()
    hessian = torch.baddbmm(gauge.unsqueeze(2) * gauge.unsqueeze(1), scaled.transpose(1, 2), scaled, alpha=-1)
    hessian.diagonal(dim1=1, dim2=2).add_(1 + _DAMPING)
    factor, _ = torch.linalg.cholesky_ex(hessian)
    return scale * torch.cholesky_solve((scale * gradient).unsqueeze(2), factor).squeeze(2)


def _dot(masses: Tensor, potentials: Tensor) -> Float[Tensor, " batch"]:
    return (masses * potentials.masked_fill(masses == 0, 0)).sum(1)


def _write(state: _State, index: Int[Tensor, " batch"], epsilon: float, steps: int, result: Plan) -> None:
    plan = state.plan()
    n, m = plan.shape[1:]
    result.matrix[index, :n, :m] = plan.to(result.matrix.dtype)
    result.f[index, :n], result.g[index, :m] = epsilon * state.x, epsilon * state.y
    error = (plan.sum(2) - state.a).abs().sum(1) + (plan.sum(1) - state.b).abs().sum(1)
    result.marginal_error[index] = error.to(result.marginal_error.dtype)
    result.iterations[index] += steps
