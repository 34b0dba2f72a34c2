"""Sinkhorn's algorithm in plain torch: the reference solver, for any device and precision.

It minimises <P, C> + epsilon KL(P | a b^T) over plans with marginals a and b, by scaling rows and columns in turn
(``forms``). This file keeps the number of sweeps small:

* problems of similar size form a chunk, padded to its longest problem;
* a converged problem leaves its chunk, because the sweeps needed differ by a factor of thirty within a batch of
  sentence pairs;
* sweeps are over-relaxed by a factor computed from each problem's observed rate of convergence, as in Young's adaptive
  SOR (Lehmann et al. 2022, arXiv:2012.12562, section 4); the last sweeps are plain.
"""

import torch
from jaxtyping import Int
from torch import Tensor

from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.chunks import CELLS, chunks
from optical.ot.sinkhorn.forms import Form, best_forms
from optical.ot.sinkhorn.relaxation import relaxation_rule

_CHECK_SWEEPS = 4
# On a GPU a check waits for the device, so checks are rarer.
_CHECK_SWEEPS_GPU = 10
_relaxation = relaxation_rule(torch.where, torch.clamp_max, torch.sqrt)
# Rows must be within this share of the tolerance; the rest is for the rounding of the columns.
_SHARE = 0.95


def solve(problem: Problem, settings: Settings, start: Potentials | None = None, cells: int = CELLS) -> Plan:
    """Solve every problem of the batch to the tolerance, or make ``max_iterations`` sweeps.

    For C = [[0, 1], [1, 0]] and uniform marginals, P00 = 1 / (2 (1 + exp(-1 / epsilon))):

    >>> C = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
    >>> half = torch.full((1, 2), 0.5)
    >>> round(solve(Problem(C, half, half), Settings(epsilon=1.0)).matrix[0, 0, 0].item(), 5)
    0.36553

    Args:
        problem: the batch; float32 or float64.
        settings: epsilon, tolerance, max_iterations, and whether sweeps may be over-relaxed.
        start: potentials to start from; those of the target side are used.
        cells: cells of a chunk, see ``chunks``.
    """
    plan = _empty_plan(problem, settings.epsilon)
    for index, n, m in chunks(problem, cells):
        cost, a, b = problem.cost[:, :n, :m][index], problem.a[index, :n], problem.b[index, :m]
        first = None if start is None else start.g[index, :m]
        for chosen, form in best_forms(cost, a, b, settings.epsilon, first):
            _run(form, index[chosen], settings, plan)
    plan.converged.copy_(plan.marginal_error <= settings.tolerance)
    return plan


def _run(form: Form, index: Int[Tensor, " batch"], settings: Settings, plan: Plan) -> None:
    """Sweep until every problem is solved; write each into ``plan`` at its position ``index``."""
    check = _CHECK_SWEEPS_GPU if index.is_cuda else _CHECK_SWEEPS
    last = settings.max_iterations
    # Column vectors with one value per problem: the over-relaxation, and the row error at the last check.
    omega = mark = torch.ones(len(index), 1, dtype=torch.float64, device=index.device)
    relaxed = False
    for sweep in range(1, last + 1):
        form.sweep(omega if relaxed and sweep < last else None)
        first = sweep == check // 2
        if settings.tolerance == 0 or (sweep % check and not first) or sweep == last:
            continue
        error = form.row_error().double().unsqueeze(1)
        within = error <= _SHARE * settings.tolerance
        done = (within & (omega == 1)).squeeze(1)
        if settings.overrelaxed:
            # A change of omega disturbs the rate, so ``mark`` is taken ``check`` sweeps after it. The first rate is of
            # half as many sweeps, but counts as the rate of ``check``: early sweeps gain more than later ones.
            if sweep % (2 * check) == check:
                omega, relaxed = _relaxation(omega, (error / mark) ** (1 / check)), True
            omega, mark = torch.where(within, 1.0, omega), error
        if done.any():
            _write(form.rows(done), index[done], sweep, plan)
            form, index, omega, mark = form.rows(~done), index[~done], omega[~done], mark[~done]
        if not len(index):
            return
    _write(form, index, last, plan)


def _write(form: Form, index: Int[Tensor, " batch"], sweep: int, plan: Plan) -> None:
    matrix = form.matrix()
    n, m = matrix.shape[1:]
    plan.matrix[index, :n, :m] = matrix.to(plan.matrix.dtype)
    plan.f[index, :n], plan.g[index, :m] = form.potentials()
    error = (matrix.sum(2) - form.a).abs().sum(1) + (matrix.sum(1) - form.b).abs().sum(1)
    plan.marginal_error[index] = error.to(plan.marginal_error.dtype)
    plan.iterations[index] = sweep


def _empty_plan(problem: Problem, epsilon: float) -> Plan:
    """A plan of zeros, to be filled in."""
    cost = problem.cost
    f, g = (torch.full_like(side, -torch.inf, dtype=torch.float64) for side in (problem.a, problem.b))
    error, iterations = cost.new_zeros(len(cost)), cost.new_zeros(len(cost), dtype=torch.long)
    epsilons = cost.new_full((len(cost),), epsilon, dtype=torch.float64)
    return Plan(problem, f, g, epsilons, error, iterations, error > 0, torch.zeros_like(cost))
