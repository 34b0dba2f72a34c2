"""Exact transport against POT's own value, scipy's assignment and the proof its dual gives."""

import warnings

import ot
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from optical.errors import NumericalError, UserError
from optical.ot.methods import exact
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings


def solve(problem: Problem, start: Potentials | None = None, **limits: int) -> Plan:
    return exact.solve(problem, Settings(method="exact"), start, **limits)


@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_values_agree_with_pot_and_the_dual_proves_them(fresh_seed, ragged, singles, dtype, close):
    problem = ragged(fresh_seed, batch=32, dtype=dtype, holes=True)
    plan = solve(problem)
    assert plan.converged.all()
    assert (plan.epsilon == 0).all()
    assert plan.matrix.dtype == plan.transport_cost.dtype == dtype
    assert (plan.marginal_error < close).all()
    assert (plan.matrix[~problem.real] == 0).all()
    assert (plan.f[problem.a == 0] == -torch.inf).all()
    assert (plan.g[problem.b == 0] == -torch.inf).all()
    torch.testing.assert_close((plan.matrix * problem.real_cost).sum((1, 2)), plan.transport_cost, atol=close, rtol=0)
    for row, one in enumerate(singles(problem)):
        value = plan.transport_cost[row].item()
        assert value == pytest.approx(ot.emd2(one.a, one.b, one.cost), abs=close)
        f, g = plan.f[row, one.cells[1][:, 0]].numpy(), plan.g[row, one.cells[2]].numpy()
        assert (f[:, None] + g - one.cost).max() < 1e-12
        assert one.a @ f + one.b @ g == pytest.approx(value, abs=close)


def test_uniform_squares_give_the_assignment(fresh_seed):
    generator = torch.Generator().manual_seed(fresh_seed)
    cost = torch.rand(16, 9, 9, generator=generator, dtype=torch.float64)
    ninths = torch.full((16, 9), 1 / 9, dtype=torch.float64)
    for one, matrix in zip(cost.numpy(), solve(Problem(cost, ninths, ninths)).matrix.numpy(), strict=True):
        rows, columns = linear_sum_assignment(one)
        assert (matrix.argmax(1) == columns).all()
        assert matrix[rows, columns] == pytest.approx(1 / 9, abs=1e-12)


def test_from_an_earlier_plan_no_pivot_is_left_to_do(clouds):
    problem = clouds(5, batch=8)
    cold = solve(problem)
    assert not solve(problem, max_pivots=20).converged.all()
    warm = solve(problem, Potentials(cold.f, cold.g), max_pivots=20)
    assert warm.converged.all()
    torch.testing.assert_close(warm.transport_cost, cold.transport_cost)


def test_unequal_sides_and_infinite_costs_are_refused_by_number(ragged):
    problem = ragged(1, batch=3)
    scales = torch.tensor([[1.0], [1.0], [0.5]]).double()
    with pytest.raises(UserError, match=r"^problem 2: its sides have masses 1 and 0\.5"):
        solve(Problem(problem.cost, problem.a, problem.b * scales))
    cost = problem.cost.clone()
    cost[1, 0, 0] = torch.nan
    with pytest.raises(NumericalError, match="^problem 1: the cost between two of its tokens is not finite"):
        solve(Problem(cost, problem.a, problem.b))


def test_running_out_of_pivots_is_reported_and_not_warned_of(clouds):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plan = solve(clouds(0, batch=2), max_pivots=1)
    assert not plan.converged.any()
    assert (plan.marginal_error > 0.01).all()


def test_a_verdict_of_no_plan_is_an_error(ragged, monkeypatch):
    monkeypatch.setattr(ot, "emd", lambda *_, **__: (None, {"result_code": 0, "warning": "Problem infeasible."}))
    with pytest.raises(NumericalError, match="^problem 0: POT finds no exact plan: Problem infeasible"):
        solve(ragged(0))


def test_no_problems_at_all(ragged):
    assert solve(ragged(0).rows(slice(0, 0))).matrix.shape == (0, 7, 7)
