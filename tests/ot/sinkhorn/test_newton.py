"""Newton's method: what sweeps leave unconverged, in a few steps."""

from dataclasses import replace

import pytest
import torch

from optical.ot.methods import partial, sinkhorn, unbalanced
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn import newton
from optical.ot.solver import solve

MODULES = {"sinkhorn": sinkhorn, "unbalanced": unbalanced, "partial": partial}
OTHERS = {
    "unbalanced": ("unbalanced", {"penalty": 1.0}),
    "dear": ("unbalanced", {"penalty": 30.0}),
    "cheap": ("unbalanced", {"penalty": 0.05}),
    "half": ("partial", {"mass": 0.5}),
    "most": ("partial", {"mass": 0.9}),
    "all": ("partial", {"mass": 1.0}),
}


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


@pytest.mark.parametrize(("method", "fields"), OTHERS.values(), ids=OTHERS)
def test_the_other_methods_end_where_their_sweeps_do(ragged, fresh_seed, method, fields):
    # Of so many some are left by one sweep, whatever the seed: a quarter of those of half the mass are.
    problem = ragged(fresh_seed, batch=48, holes=True)
    settings = Settings(method=method, epsilon=0.1, tolerance=1e-9, **fields)
    before = MODULES[method].solve(problem, replace(settings, max_iterations=1), None)
    assert not before.converged.all()
    plan = newton.finish(before, settings)
    assert plan.converged.all()
    swept = MODULES[method].solve(problem, replace(settings, tolerance=1e-11, max_iterations=50_000), None)
    torch.testing.assert_close(plan.matrix, swept.matrix, atol=1e-7, rtol=0)
    rebuilt = torch.exp((plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - problem.real_cost) / 0.1)
    torch.testing.assert_close(rebuilt, plan.matrix)


@pytest.mark.parametrize(("seed", "row", "mass"), [(1158894140, 6, 0.5), (976087258, 0, 0.9)])
def test_open_rows_are_known_in_spite_of_rounding(ragged, seed, row, mass):
    # Two rows at the water level, whose potentials differ in the last digit: with one of them taken for full, the steps
    # gain a third each, or circle.
    problem = ragged(seed, batch=16, holes=True).rows(slice(row, row + 1))
    settings = Settings(method="partial", mass=mass, epsilon=0.1, tolerance=1e-9)
    plan = newton.finish(partial.solve(problem, replace(settings, max_iterations=1), None), settings)
    assert plan.converged.all()
    assert plan.iterations.item() <= 8


@pytest.mark.parametrize("epsilon", [0.05, 0.02, 0.005])
@pytest.mark.parametrize(("method", "fields"), OTHERS.values(), ids=OTHERS)
def test_the_other_methods_converge_at_small_epsilon(clouds, method, fields, epsilon):
    plan = solve(clouds(21, batch=32, dtype=torch.float32), method, epsilon=epsilon, max_iterations=300, **fields)
    assert plan.converged.all()
    assert plan.matrix.dtype == torch.float32


@pytest.mark.parametrize("method", ["unbalanced", "partial"])
def test_plain_sweeps_can_be_asked_for(clouds, method):
    problem, options = clouds(22, batch=32), {"epsilon": 0.01, "mass": 0.9, "max_iterations": 100}
    plain = solve(problem, method, acceleration="none", **options)
    assert (plain.iterations[~plain.converged] == 100).all()
    assert plain.converged.sum() < solve(problem, method, **options).converged.sum()


@pytest.mark.parametrize("method", MODULES)
def test_sweeps_go_on_where_no_step_can_be_found(ragged, monkeypatch, method):
    def failing(hessian):
        return torch.full_like(hessian, torch.nan), torch.ones(len(hessian), dtype=torch.int32)

    monkeypatch.setattr(torch.linalg, "cholesky_ex", failing)
    problem, options = ragged(23), {"epsilon": 0.1, "mass": 0.7, "tolerance": 1e-6}
    settings = Settings(method=method, max_iterations=2, **options)
    before = MODULES[method].solve(problem, settings, None)
    assert not before.converged.all()
    plan = newton.finish(before, replace(settings, max_iterations=1000))
    assert plan.f[problem.a > 0].isfinite().all()
    assert (plan.marginal_error <= before.marginal_error).all()
    assert plan.converged.any()
