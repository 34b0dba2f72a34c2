"""Newton's method on the dual, for the few problems that sweeps leave unconverged.

At small epsilon a sweep reduces the error of some problems by a thousandth; a Newton step gains several digits. Newton
steps maximise the semi-dual (``semidual``; ``partial`` has its own), whose Hessian has the size of one side. Scaled to
a unit diagonal its eigenvalues are in [0, 1]. One is zero if a constant can move from f to g; a rank-one term removes
it. Damping keeps the system solvable if the plan consists of several blocks.

A step changes no potential by more than a hundred epsilon, is divided by four until q rises, and is followed by one
sweep in the log domain.
"""

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from optical.ot.methods.partial import PartialDual
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.chunks import chunks
from optical.ot.sinkhorn.semidual import Quadratic, RelaxedDual, SemiDual, relative

_MAX_STEPS = 200
_MAX_LENGTH = 100.0
_DAMPING = 1e-10
_TRIALS = 8
_SHARE = 0.95


def finish(plan: Plan, settings: Settings) -> Plan:
    """The plan after Newton steps on its unconverged problems: at most 200, and ``max_iterations`` in total.

    Args:
        plan: of a method's sweeps; its potentials are the start.
        settings: method, epsilon, penalty, mass, tolerance and max_iterations.
    """
    if plan.converged.all():
        return plan
    left = (~plan.converged).nonzero().squeeze(1)
    steps = min(_MAX_STEPS, settings.max_iterations - int(plan.iterations[left].amax()))
    if steps < 1:
        return plan
    copied = (plan.f, plan.g, plan.marginal_error, plan.iterations, plan.converged, plan.matrix)
    f, g, error, iterations, converged, matrix = (tensor.clone() for tensor in copied)
    result = replace(
        plan, f=f, g=g, marginal_error=error, iterations=iterations, converged=converged, given_matrix=matrix
    )
    problem = plan.problem.rows(left)
    for index, n, m in chunks(problem):
        _run(_start(problem, plan.g[left], settings, index, n, m), left[index], settings, steps, result)
    converged.copy_(error <= settings.tolerance)
    return result if plan.given_cost is None else _with_cost(result, plan.given_cost.clone(), left)


def _with_cost(plan: Plan, cost: Float[Tensor, " batch"], index: Int[Tensor, " chosen"]) -> Plan:
    cost[index] = (plan.matrix[index] * plan.problem.rows(index).real_cost).sum((1, 2)).to(cost.dtype)
    return replace(plan, given_cost=cost)


def _start(problem: Problem, g: Tensor, settings: Settings, index: Tensor, n: int, m: int) -> SemiDual:
    a, b = problem.a[index, :n].double(), problem.b[index, :m].double()
    padding = (a == 0).unsqueeze(2) | (b == 0).unsqueeze(1)
    scores = (problem.cost[:, :n, :m][index].double() / -settings.epsilon).masked_fill_(padding, 0)
    y = g[index, :m].double() / settings.epsilon
    given = scores, a, b, torch.zeros_like(a), y
    if settings.method == "partial":
        return PartialDual(*given, settings.mass).at(y)
    relaxation = settings.epsilon / settings.penalty if settings.method == "unbalanced" else 0.0
    return RelaxedDual(*given, relaxation).at(y)


def _run(state: SemiDual, index: Int[Tensor, " batch"], settings: Settings, steps: int, result: Plan) -> None:
    for step in range(1, steps + 1):
        state = _ascend(state).swept()
        done = (state.error() <= _SHARE * settings.tolerance) | (step == steps)
        if done.any():
            _write(state.rows(done), index[done], settings.epsilon, step, result)
            state, index = state.rows(~done), index[~done]
        if not len(index):
            return


def _ascend(state: SemiDual) -> SemiDual:
    """The state after a Newton step on y: at most ``_MAX_LENGTH`` long, and shortened until q rises."""
    near = state.quadratic()
    direction = state.within_bounds(_direction(near), near)
    length = (_MAX_LENGTH / direction.abs().amax(1).clamp_min(_MAX_LENGTH)).unsqueeze(1)
    here, value = relative(state.b, state.y), state.value()
    noise = 1e-13 * (1 + value.abs())
    for _ in range(_TRIALS):
        there = state.moved(length * direction)
        expected = (near.gradient * (relative(state.b, there.y) - here)).sum(1)
        risen = there.value() >= value + 1e-4 * expected - noise
        if risen.all():
            return there
        length = torch.where(risen.unsqueeze(1), length, length / 4)
    return state.moved(torch.where(risen.unsqueeze(1), length, 0) * direction)


def _direction(near: Quadratic) -> Float[Tensor, "batch target"]:
    """Newton's step on y, minus the inverse Hessian times the gradient; zero if the Hessian is not invertible."""
    scale = torch.where(near.diagonal > 0, near.diagonal, 1).rsqrt()
    scaled, gauge = near.factor * scale.unsqueeze(1), near.gauge * scale
    hessian = torch.baddbmm(gauge.unsqueeze(2) * gauge.unsqueeze(1), scaled.transpose(1, 2), scaled, alpha=-1)
    hessian.diagonal(dim1=1, dim2=2).add_(1 + _DAMPING)
    factor, _ = torch.linalg.cholesky_ex(hessian)
    step = scale * torch.cholesky_solve((scale * near.gradient).unsqueeze(2), factor).squeeze(2)
    return torch.where(step.isfinite().all(1, keepdim=True), step, 0)


def _write(state: SemiDual, index: Int[Tensor, " batch"], epsilon: float, steps: int, result: Plan) -> None:
    plan = state.plan
    n, m = plan.shape[1:]
    result.matrix[index, :n, :m] = plan.to(result.matrix.dtype)
    result.f[index, :n], result.g[index, :m] = epsilon * state.x, epsilon * state.y
    result.marginal_error[index] = state.error().to(result.marginal_error.dtype)
    result.iterations[index] += steps
