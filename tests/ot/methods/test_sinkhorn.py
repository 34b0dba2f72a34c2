"""The plain torch solver: against what can be computed by hand, and what its sweeps promise."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import linear_sum_assignment

from optical.ot.methods import sinkhorn
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.sinkhorn.chunks import CELLS
from optical.ot.sinkhorn.forms import Logarithms, Scalings, best_forms

SWAP = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
HALVES = torch.full((1, 2), 0.5)


def solve(
    problem: Problem, epsilon: float = 0.3, start: Potentials | None = None, cells: int = CELLS, **options: object
) -> Plan:
    options = {"tolerance": 1e-11, "max_iterations": 20_000} | options
    return sinkhorn.solve(problem, Settings(epsilon=epsilon, **options), start, cells)


@pytest.mark.parametrize("epsilon", [0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0])
def test_two_by_two_in_closed_form(epsilon):
    plan = solve(Problem(SWAP.double(), HALVES.double(), HALVES.double()), epsilon)
    own = 1 / (2 * (1 + math.exp(-1 / epsilon)))
    expected = torch.tensor([[own, 0.5 - own], [0.5 - own, own]], dtype=torch.float64)
    torch.testing.assert_close(plan.matrix[0], expected, atol=1e-12, rtol=0)
    # -sum P log P, by hand
    by_hand = -2 * sum(p * math.log(p) for p in (own, 0.5 - own) if p > 1e-38)
    assert plan.entropy().item() == pytest.approx(by_hand, abs=1e-9)


def test_a_large_epsilon_gives_the_independent_plan(ragged):
    problem = ragged(1)
    outer = problem.a.unsqueeze(2) * problem.b.unsqueeze(1)
    torch.testing.assert_close(solve(problem, 1e6).matrix, outer, atol=1e-6, rtol=0)


def test_a_small_epsilon_gives_the_assignment():
    cost = np.random.default_rng(3).random((4, 6, 6))
    uniform = torch.full((4, 6), 1 / 6, dtype=torch.float64)
    plan = solve(Problem(torch.from_numpy(cost), uniform, uniform), 1e-2, tolerance=1e-3)
    for one, matrix in zip(cost, plan.matrix, strict=True):
        rows, columns = linear_sum_assignment(one)
        assert (matrix.argmax(1).numpy() == columns).all()
        assert (matrix.numpy() * one).sum() == pytest.approx(one[rows, columns].mean(), abs=1e-2)


def test_an_identity_cost_prefers_the_diagonal_and_a_flat_one_nothing():
    uniform = torch.full((1, 3), 1 / 3)
    plan = solve(Problem(1 - torch.eye(3).unsqueeze(0), uniform, uniform), 0.05, tolerance=1e-4)
    assert torch.diagonal(plan.matrix[0]).sum() > 0.999
    for constant in (0.0, 1.0, 2.0):
        flat = solve(Problem(torch.full((1, 3, 3), constant), uniform, uniform), 0.05, tolerance=1e-4)
        torch.testing.assert_close(flat.matrix, torch.full((1, 3, 3), 1 / 9))
        assert flat.entropy().item() == pytest.approx(math.log(9), abs=1e-5)


@pytest.mark.parametrize("epsilon", [0.003, 0.3])
def test_the_evidence_is_true(ragged, fresh_seed, epsilon):
    problem = ragged(fresh_seed, holes=True)
    for sweeps in (3, 20_000):
        plan = solve(problem, epsilon, tolerance=1e-10, max_iterations=sweeps)
        rows = (plan.matrix.sum(2) - problem.a).abs().sum(1)
        columns = (plan.matrix.sum(1) - problem.b).abs().sum(1)
        torch.testing.assert_close(plan.marginal_error, rows + columns)
        assert (columns < 1e-12).all()
        assert (plan.converged == (plan.marginal_error <= 1e-10)).all()
        assert (plan.iterations <= sweeps).all()


@pytest.mark.parametrize("epsilon", [0.003, 0.02, 0.3])
def test_the_plan_is_the_exponential_of_its_potentials(ragged, fresh_seed, epsilon):
    problem = ragged(fresh_seed, holes=True)
    plan = solve(problem, epsilon, max_iterations=300)
    assert plan.f.dtype == torch.float64
    rebuilt = torch.exp((plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - problem.real_cost) / epsilon)
    torch.testing.assert_close(rebuilt, plan.matrix, atol=1e-12, rtol=1e-9)
    assert (plan.f[problem.a == 0] == -torch.inf).all()
    assert (plan.g[problem.b == 0] == -torch.inf).all()


@pytest.mark.parametrize("omega", [None, 1.5])
def test_the_two_forms_are_one_algorithm(ragged, omega):
    problem = ragged(2)
    [(_, fast)] = best_forms(problem.cost, problem.a, problem.b, 0.1)
    slow = Logarithms(fast.kernel.log(), fast.logarithms()[1], problem.a, problem.b, fast.f, fast.g, 0.1)
    relaxation = None if omega is None else torch.full((4, 1), omega, dtype=torch.float64)
    for _ in range(9):
        fast.sweep(relaxation), slow.sweep(relaxation)
        torch.testing.assert_close(fast.matrix(), slow.matrix(), atol=1e-14, rtol=1e-9)
        torch.testing.assert_close(fast.row_error(), slow.row_error())
    for ours, theirs in zip(fast.potentials(), slow.potentials(), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_each_problem_gets_the_fastest_form_that_is_safe_for_it():
    cost = torch.tensor([0.5, 5.0, 50.0]).view(3, 1, 1) * SWAP
    forms = best_forms(cost, HALVES.expand(3, 2), HALVES.expand(3, 2), 0.05)
    kinds = [(index.tolist(), type(form), form.a.dtype) for index, form in forms if len(index)]
    double = torch.float64
    assert kinds == [([0], Scalings, torch.float32), ([1], Scalings, double), ([2], Logarithms, double)]


def test_over_relaxation_saves_sweeps_and_changes_nothing(clouds):
    problem = clouds(5, batch=12, dtype=torch.float64)
    plain, relaxed = (solve(problem, 0.07, tolerance=1e-6, acceleration=name) for name in ("none", "overrelaxation"))
    assert plain.converged.all()
    assert relaxed.converged.all()
    assert relaxed.iterations.sum() < 0.5 * plain.iterations.sum()
    torch.testing.assert_close(relaxed.matrix, plain.matrix, atol=1e-5, rtol=0)


def test_no_problem_waits_for_others_of_its_batch(clouds):
    problem = clouds(6, batch=24)
    together = solve(problem, 0.05, tolerance=1e-5)
    assert together.iterations.max() > 2 * together.iterations.min()
    alone = solve(problem, 0.05, cells=1, tolerance=1e-5)
    torch.testing.assert_close(alone.iterations, together.iterations)
    torch.testing.assert_close(alone.matrix, together.matrix, atol=1e-6, rtol=1e-3)


def test_without_a_tolerance_every_sweep_is_spent(clouds):
    plan = solve(clouds(7, batch=3), tolerance=0.0, max_iterations=37)
    assert plan.iterations.tolist() == [37] * 3


@pytest.mark.parametrize("epsilon", [0.003, 0.05])
def test_a_solution_is_a_start_that_needs_no_sweeps(clouds, epsilon):
    problem = clouds(8, batch=6)
    first = solve(problem, epsilon, tolerance=1e-5, max_iterations=3000)
    again = solve(problem, epsilon, Potentials(first.f, first.g), tolerance=1e-4)
    assert (again.iterations[first.converged] <= 4).all()
    assert (first.iterations > 8).any()
    far = Potentials(first.f + 1e4, torch.randn_like(first.g) * 1e4)
    elsewhere = solve(problem, 0.1, far, tolerance=1e-4)
    assert elsewhere.converged.all()


def test_an_unconverged_problem_says_so_beside_a_converged_one():
    hard = torch.tensor([[0.0, 0.5, 2.0], [1.9, 0.0, 1.0], [0.3, 1.7, 0.1]])
    cost = torch.stack([torch.full((3, 3), 0.5), hard]).double()
    a = torch.tensor([[1 / 3] * 3, [0.7, 0.2, 0.1]], dtype=torch.float64)
    b = torch.tensor([[1 / 3] * 3, [0.1, 0.1, 0.8]], dtype=torch.float64)
    plan = solve(Problem(cost, a, b), 0.01, tolerance=1e-6, max_iterations=7)
    assert plan.converged.tolist() == [True, False]
    assert plan.iterations.tolist() == [2, 7]
    assert plan.marginal_error[1] > 1e-6
