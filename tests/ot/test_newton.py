"""Newton's method: what sweeps leave unconverged, in a few steps."""

from dataclasses import replace

import pytest
import torch

from optical.ot import newton, sinkhorn
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings


def after_sweeps(problem: Problem, epsilon: float, sweeps: int, tolerance: float = 1e-4) -> Plan:
    return sinkhorn.solve(problem, Settings(epsilon=epsilon, max_iterations=sweeps, tolerance=tolerance))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("epsilon", "sweeps"), [(0.02, 20), (0.01, 50), (0.001, 50)])
def test_every_problem_of_bitext_converges(clouds, fresh_seed, dtype, epsilon, sweeps):
    problem = clouds(fresh_seed, dtype=dtype)
    before = after_sweeps(problem, epsilon, sweeps)
    assert (~before.converged).sum() > 10
    plan = newton.finish(before, Settings(epsilon=epsilon))
    assert plan.converged.all()
    rows = (plan.matrix.sum(2) - problem.a).abs().sum(1) + (plan.matrix.sum(1) - problem.b).abs().sum(1)
    torch.testing.assert_close(plan.marginal_error, rows, atol=1e-6, rtol=1e-3)
    rebuilt = torch.exp((plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - problem.real_cost.double()) / epsilon)
    torch.testing.assert_close(rebuilt, plan.matrix.double(), atol=1e-5, rtol=1e-3)


def test_the_last_steps_square_the_error(ragged, fresh_seed):
    problem = ragged(fresh_seed, holes=True)
    before = after_sweeps(problem, 0.1, 5, tolerance=1e-11)
    plan = newton.finish(before, Settings(epsilon=0.1, tolerance=1e-11))
    assert plan.converged.all()
    assert (plan.iterations - before.iterations).max() <= 8
    exact = sinkhorn.solve(problem, Settings(epsilon=0.1, tolerance=1e-12, max_iterations=20_000))
    torch.testing.assert_close(plan.matrix, exact.matrix, atol=1e-10, rtol=0)


def test_converged_problems_are_left_alone(clouds):
    problem = clouds(11, batch=32)
    before = after_sweeps(problem, 0.05, 30)
    assert 0 < before.converged.sum() < 32
    plan, kept = newton.finish(before, Settings(epsilon=0.05)), before.converged
    for name in ("f", "g", "matrix", "iterations", "marginal_error"):
        assert torch.equal(getattr(plan, name)[kept], getattr(before, name)[kept]), name
    assert (plan.iterations[~kept] > 30).all()
    assert not before.converged.all(), "the plan it was given must not change"
    torch.testing.assert_close(plan.transport_cost, (plan.matrix * problem.real_cost).sum((1, 2)))


def test_the_most_iterations_count_newton_steps_too(clouds):
    before = after_sweeps(clouds(12), 0.001, 20)
    plan = newton.finish(before, Settings(epsilon=0.001, max_iterations=22))
    assert plan.iterations.max() == 22
    assert not plan.converged.all()
    assert newton.finish(before, Settings(epsilon=0.001, max_iterations=20)) is before


def test_a_cost_the_solver_has_summed_is_summed_anew(clouds):
    before = after_sweeps(clouds(13, batch=16), 0.02, 20)
    plan = newton.finish(replace(before, given_cost=before.transport_cost), Settings(epsilon=0.02))
    torch.testing.assert_close(plan.given_cost, (plan.matrix * plan.problem.real_cost).sum((1, 2)))
