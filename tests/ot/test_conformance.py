"""What must hold for every backend that gives plans: invariances, padding, precision, and every usual epsilon."""

import math
from dataclasses import dataclass

import pytest
import torch

from optical.ot.kernels import backends
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings
from optical.ot.solver import solve

FORMATS = [("torch", torch.float64), ("torch", torch.float32), ("compiled", torch.float32)]


@dataclass(frozen=True)
class Bench:
    """A backend at a precision, and how closely two plans of it may agree."""

    backend: str
    dtype: torch.dtype

    @property
    def close(self) -> dict[str, float]:
        return {"atol": 1e-9 if self.dtype == torch.float64 else 2e-6, "rtol": 0.0}

    def solve(self, problem: Problem, epsilon: float = 0.2, **options: object) -> Plan:
        tolerance = 1e-11 if self.dtype == torch.float64 else 1e-6
        options = {"tolerance": tolerance, "max_iterations": 3000} | options
        return solve(problem, epsilon=epsilon, backend=self.backend, **options)


@pytest.fixture(params=FORMATS, ids=lambda pair: f"{pair[0]}-{pair[1]}".replace("torch.", ""))
def bench(request: pytest.FixtureRequest) -> Bench:
    backend, dtype = request.param
    if backend == "compiled":
        pytest.importorskip("numba")
        one = torch.ones(1, 1, dtype=dtype)
        assert backends.choose(Problem(one.unsqueeze(2), one, one), Settings(backend="auto")) == "compiled"
    return Bench(backend, dtype)


def test_permuting_tokens_permutes_the_plan(bench, ragged, fresh_seed):
    problem = ragged(fresh_seed, batch=50, dtype=bench.dtype, holes=True)
    generator = torch.Generator().manual_seed(fresh_seed)
    rows, columns = (torch.randperm(7, generator=generator) for _ in range(2))
    moved = bench.solve(Problem(problem.cost[:, rows][:, :, columns], problem.a[:, rows], problem.b[:, columns]))
    torch.testing.assert_close(moved.matrix, bench.solve(problem).matrix[:, rows][:, :, columns], **bench.close)


def test_batch_mates_do_not_matter(bench, clouds, fresh_seed):
    problem = clouds(fresh_seed, batch=20, dtype=bench.dtype)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(fresh_seed))[:9]
    few, all_of_them = (bench.solve(part, 0.05, tolerance=1e-4) for part in (problem.rows(order), problem))
    torch.testing.assert_close(few.iterations, all_of_them.iterations[order], atol=4, rtol=0)
    torch.testing.assert_close(few.matrix, all_of_them.matrix[order], atol=1e-5, rtol=0)


@pytest.mark.parametrize("epsilon", [0.2, 0.02])
@pytest.mark.parametrize("padding", [0.0, 1e6, -1e6, math.inf, math.nan])
def test_padding_changes_nothing(bench, ragged, padding, epsilon):
    problem = ragged(5, dtype=bench.dtype)
    cost = torch.full((4, 9, 10), padding, dtype=bench.dtype)
    cost[:, :7, :7] = problem.cost
    a, b = (torch.nn.functional.pad(side, (0, wide)) for side, wide in ((problem.a, 2), (problem.b, 3)))
    padded, plain = (bench.solve(which, epsilon, tolerance=1e-5) for which in (Problem(cost, a, b), problem))
    assert torch.equal(padded.matrix[:, :7, :7], plain.matrix)
    assert torch.equal(padded.iterations, plain.iterations)
    assert (padded.matrix[:, 7:] == 0).all()
    assert (padded.matrix[:, :, 7:] == 0).all()
    torch.testing.assert_close(padded.transport_cost, plain.transport_cost)


def test_holes_change_nothing(bench, ragged, fresh_seed):
    problem = ragged(fresh_seed, batch=50, dtype=bench.dtype, holes=True)
    plan = bench.solve(problem)
    assert (plan.matrix[~problem.real] == 0).all()
    front = [(side == 0).sort(stable=True, dim=1)[1] for side in (problem.a, problem.b)]
    each = torch.arange(50).unsqueeze(1)
    cells = each.unsqueeze(2), front[0].unsqueeze(2), front[1].unsqueeze(1)
    dense = Problem(problem.cost[cells], problem.a[each, front[0]], problem.b[each, front[1]])
    torch.testing.assert_close(bench.solve(dense).matrix, plan.matrix[cells], **bench.close)


def test_a_constant_added_to_the_cost_changes_nothing(bench, ragged, fresh_seed):
    problem = ragged(fresh_seed, batch=50, dtype=bench.dtype)
    for constant in (-3.0, 2.0):
        moved = bench.solve(Problem(problem.cost + constant, problem.a, problem.b))
        torch.testing.assert_close(moved.matrix, bench.solve(problem).matrix, **bench.close)


def test_cost_and_epsilon_scale_together(bench, ragged, fresh_seed):
    problem = ragged(fresh_seed, batch=50, dtype=bench.dtype)
    for scale in (0.03, 7.0):
        scaled = bench.solve(Problem(problem.cost * scale, problem.a, problem.b), 0.2 * scale)
        torch.testing.assert_close(scaled.matrix, bench.solve(problem).matrix, **bench.close)


@pytest.mark.parametrize("acceleration", ["none", "overrelaxation", "auto"])
@pytest.mark.parametrize("epsilon", [1e-3, 1e-2, 0.05, 0.5, 10.0])
def test_every_usual_epsilon_is_finite_and_solved(bench, clouds, fresh_seed, epsilon, acceleration):
    problem = clouds(fresh_seed, batch=12, dtype=bench.dtype)
    plan = bench.solve(problem, epsilon, acceleration=acceleration, max_iterations=260, tolerance=1e-4)
    assert torch.isfinite(plan.matrix).all()
    assert torch.isfinite(plan.transport_cost).all()
    assert torch.isfinite(plan.f[problem.a > 0]).all()
    assert torch.isfinite(plan.g[problem.b > 0]).all()
    # A finished sweep leaves one side's sums exact, converged or not.
    rows, columns = ((plan.matrix.sum(axis) - side).abs().sum(1) for axis, side in ((2, problem.a), (1, problem.b)))
    assert (torch.minimum(rows, columns) < 1e-5).all()
    torch.testing.assert_close(plan.marginal_error, rows + columns, atol=3e-6, rtol=1e-3)
    if acceleration == "auto":
        assert plan.converged.all()


@pytest.mark.parametrize("epsilon", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("same", [1.0, 0.0, -1.0])
def test_identical_orthogonal_and_opposite_embeddings(bench, same, epsilon):
    cost = torch.full((2, 3, 4), 1 - same, dtype=bench.dtype)
    a, b = torch.full((2, 3), 1 / 3, dtype=bench.dtype), torch.full((2, 4), 0.25, dtype=bench.dtype)
    plan = bench.solve(Problem(cost, a, b), epsilon)
    torch.testing.assert_close(plan.matrix, torch.full_like(cost, 1 / 12), atol=1e-7, rtol=0)
    assert plan.converged.all()


def test_one_real_token_in_a_long_padding(bench):
    a, b = torch.zeros(2, 1, 60, dtype=bench.dtype), torch.zeros(1, 1, dtype=bench.dtype)
    a[0, 0, 41], a[1, 0, 7] = 1, 1
    problem = Problem(torch.full((2, 60, 60), 0.7, dtype=bench.dtype), a[:, 0], a[:, 0].flip(1))
    plan = bench.solve(problem, 0.1)
    assert plan.converged.all()
    assert plan.entropy().abs().max() < 1e-6
    for row, (i, j) in enumerate([(41, 18), (7, 52)]):
        assert plan.matrix[row, i, j].item() == pytest.approx(1)
        assert plan.matrix[row].count_nonzero() == 1
    single = bench.solve(Problem(b.unsqueeze(2) + 0.3, b + 1, b + 1), 0.1)
    assert single.matrix.item() == pytest.approx(1)


def test_no_problem_at_all(bench):
    cost = torch.zeros(0, 3, 4, dtype=bench.dtype)
    plan = bench.solve(Problem(cost, cost[:, :, 0], cost[:, 0]))
    assert plan.matrix.shape == (0, 3, 4)
    assert plan.converged.shape == (0,)


def test_what_does_not_converge_says_so(bench, clouds):
    plan = bench.solve(clouds(1, dtype=bench.dtype), 0.01, max_iterations=12, tolerance=1e-5)
    assert not plan.converged.any()
    assert (plan.iterations == 12).all()
    assert (plan.marginal_error > 1e-5).all()
