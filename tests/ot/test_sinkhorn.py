"""Sinkhorn against what can be computed by hand, and what must never change."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from optical.errors import UserError
from optical.ot.marginals import uniform_marginal
from optical.ot.problem import Problem
from optical.ot.sinkhorn import _log_form, _scaling_form, sinkhorn

SWAP = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]])
HALVES = torch.full((1, 2), 0.5)
seeds = st.integers(0, 10_000)
few = settings(max_examples=10, deadline=None, derandomize=True)


def ragged(seed: int, batch: int = 4, dtype: torch.dtype = torch.float64) -> Problem:
    """Random costs in [0, 2], random positive masses, random lengths between 1 and 7."""
    random = torch.Generator().manual_seed(seed)

    def masses() -> torch.Tensor:
        lengths = torch.randint(1, 8, (batch, 1), generator=random)
        mass = (torch.rand(batch, 7, generator=random, dtype=dtype) + 0.2) * (torch.arange(7) < lengths)
        return mass / mass.sum(1, keepdim=True)

    return Problem(2 * torch.rand(batch, 7, 7, generator=random, dtype=dtype), masses(), masses())


def solve(problem: Problem, epsilon: float = 0.3):
    return sinkhorn(problem, epsilon, tolerance=1e-11, max_iterations=20_000)


def test_two_by_two_at_epsilon_one():
    assert sinkhorn(Problem(SWAP, HALVES, HALVES), 1.0).matrix[0, 0, 0].item() == pytest.approx(0.36553, abs=5e-6)


@pytest.mark.parametrize("epsilon", [0.005, 0.01, 0.05, 0.1, 0.5, 2.0, 10.0])
def test_two_by_two_in_closed_form(epsilon):
    plan = solve(Problem(SWAP.double(), HALVES.double(), HALVES.double()), epsilon)
    own = 1 / (2 * (1 + math.exp(-1 / epsilon)))
    expected = torch.tensor([[own, 0.5 - own], [0.5 - own, own]], dtype=torch.float64)
    torch.testing.assert_close(plan.matrix[0], expected, atol=1e-12, rtol=0)
    # -sum P log P, by hand
    by_hand = -2 * sum(p * math.log(p) for p in (own, 0.5 - own) if p > 1e-38)
    assert plan.entropy().item() == pytest.approx(by_hand, abs=1e-9)


def test_a_large_epsilon_gives_the_independent_plan():
    problem = ragged(1)
    plan = solve(problem, 1e6)
    outer = problem.a.unsqueeze(2) * problem.b.unsqueeze(1)
    torch.testing.assert_close(plan.matrix, outer, atol=1e-6, rtol=0)


def test_a_small_epsilon_gives_the_assignment():
    cost = np.random.default_rng(3).random((4, 6, 6))
    uniform = torch.full((4, 6), 1 / 6, dtype=torch.float64)
    plan = sinkhorn(Problem(torch.from_numpy(cost), uniform, uniform), 1e-2, 1e-3, 800)
    for one, matrix in zip(cost, plan.matrix, strict=True):
        rows, columns = linear_sum_assignment(one)
        assert (matrix.argmax(1).numpy() == columns).all()
        assert (matrix.numpy() * one).sum() == pytest.approx(one[rows, columns].mean(), abs=1e-2)


def test_an_identity_cost_prefers_the_diagonal_and_a_flat_one_nothing():
    uniform = torch.full((1, 3), 1 / 3)
    plan = sinkhorn(Problem(1 - torch.eye(3).unsqueeze(0), uniform, uniform), 0.05)
    assert torch.diagonal(plan.matrix[0]).sum() > 0.999
    for constant in (0.0, 1.0, 2.0):
        flat = sinkhorn(Problem(torch.full((1, 3, 3), constant), uniform, uniform), 0.05)
        torch.testing.assert_close(flat.matrix, torch.full((1, 3, 3), 1 / 9))
        assert flat.entropy().item() == pytest.approx(math.log(9), abs=1e-5)


@few
@given(seeds)
def test_the_marginals_hold_and_the_evidence_is_true(seed):
    problem = ragged(seed)
    plan = solve(problem)
    rows = (plan.matrix.sum(2) - problem.a).abs().sum(1)
    columns = (plan.matrix.sum(1) - problem.b).abs().sum(1)
    torch.testing.assert_close(plan.marginal_error, rows + columns)
    assert plan.converged.all()
    assert (plan.marginal_error < 1e-10).all()
    assert ((plan.matrix == 0) | ((problem.a > 0).unsqueeze(2) & (problem.b > 0).unsqueeze(1))).all()


@few
@given(seeds)
def test_the_plan_is_the_exponential_of_its_potentials(seed):
    problem = ragged(seed)
    plan = solve(problem)
    rebuilt = torch.exp((plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - problem.cost) / 0.3)
    torch.testing.assert_close(rebuilt, plan.matrix, atol=1e-12, rtol=1e-9)
    assert (plan.f[problem.a == 0] == -torch.inf).all()
    assert (plan.g[problem.b == 0] == -torch.inf).all()


@few
@given(seeds)
def test_permuting_target_tokens_permutes_the_plan(seed):
    problem = ragged(seed)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(seed))
    moved = solve(Problem(problem.cost[:, :, order], problem.a, problem.b[:, order]))
    torch.testing.assert_close(moved.matrix, solve(problem).matrix[:, :, order], atol=1e-10, rtol=0)


@few
@given(seeds, st.floats(-3.0, 3.0))
def test_a_constant_added_to_the_cost_changes_nothing(seed, constant):
    problem = ragged(seed)
    moved = solve(Problem(problem.cost + constant, problem.a, problem.b))
    torch.testing.assert_close(moved.matrix, solve(problem).matrix, atol=1e-10, rtol=0)


@few
@given(seeds, st.floats(0.01, 50.0))
def test_cost_and_epsilon_scale_together(seed, scale):
    problem = ragged(seed)
    scaled = solve(Problem(problem.cost * scale, problem.a, problem.b), 0.3 * scale)
    torch.testing.assert_close(scaled.matrix, solve(problem).matrix, atol=1e-10, rtol=0)


@pytest.mark.parametrize("epsilon", [0.2, 0.02])
@pytest.mark.parametrize("padding", [0.0, 1e6, -1e6, math.inf, math.nan])
def test_padding_changes_nothing(padding, epsilon):
    problem = ragged(5)
    cost = torch.full((4, 9, 10), padding, dtype=torch.float64)
    cost[:, :7, :7] = problem.cost
    a, b = (torch.nn.functional.pad(side, (0, wide)) for side, wide in ((problem.a, 2), (problem.b, 3)))
    padded, plain = (sinkhorn(which, epsilon, 1e-9, 300) for which in (Problem(cost, a, b), problem))
    torch.testing.assert_close(padded.matrix[:, :7, :7], plain.matrix, atol=1e-12, rtol=0)
    assert (padded.matrix[:, 7:] == 0).all()
    assert (padded.matrix[:, :, 7:] == 0).all()


@pytest.mark.parametrize("epsilon", [0.03, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_scaling_form_equals_the_log_form(seed, epsilon):
    problem = ragged(seed)
    real = (problem.a > 0).unsqueeze(2) & (problem.b > 0).unsqueeze(1)
    cost = problem.cost.masked_fill(~real, 0)
    # The same number of sweeps, converged or not: the two are one algorithm.
    for sweeps in (1, 7, 100):
        scaling, log = (form(problem, cost, real, epsilon, 1e-300, sweeps) for form in (_scaling_form, _log_form))
        torch.testing.assert_close(scaling.matrix, log.matrix, atol=1e-12, rtol=1e-9)
        torch.testing.assert_close(scaling.f, log.f)
        torch.testing.assert_close(scaling.g, log.g)
    scaling, log = (form(problem, cost, real, epsilon, 1e-4, 500) for form in (_scaling_form, _log_form))
    torch.testing.assert_close(scaling.iterations, log.iterations)
    assert scaling.converged.all()


@pytest.mark.parametrize("epsilon", [1e-3, 1e-2, 0.03, 0.1, 1.0, 10.0])
def test_every_usual_epsilon_is_finite_in_single_precision(epsilon):
    for seed in range(3):
        problem = ragged(seed, dtype=torch.float32)
        plan = sinkhorn(problem, epsilon)
        assert torch.isfinite(plan.matrix).all()
        assert torch.isfinite(plan.entropy()).all()
        # A finished sweep leaves the column sums exact, converged or not.
        torch.testing.assert_close(plan.matrix.sum(1), problem.b, atol=1e-4, rtol=0)


def test_one_real_token_among_padding():
    only = torch.tensor([[0.0, 1.0, 0.0]])
    plan = sinkhorn(Problem(torch.full((1, 3, 3), 0.7), only, only), 0.1)
    expected = torch.zeros(1, 3, 3)
    expected[0, 1, 1] = 1
    torch.testing.assert_close(plan.matrix, expected)
    assert plan.converged.item()
    assert plan.entropy().item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("epsilon", [1e-3, 0.1])
def test_no_problem_at_all(epsilon):
    plan = sinkhorn(Problem(torch.zeros(0, 3, 4), torch.zeros(0, 3), torch.zeros(0, 4)), epsilon)
    assert plan.matrix.shape == (0, 3, 4)
    assert plan.converged.shape == (0,)


@pytest.mark.parametrize(("side", "name"), [(0, "source"), (1, "target")])
def test_a_row_without_mass_is_refused_by_number(side, name):
    masks = [torch.ones(3, 2, dtype=torch.bool), torch.ones(3, 2, dtype=torch.bool)]
    masks[side][1] = False
    with pytest.raises(UserError, match=f"^problem 1: its {name} side has no mass"):
        Problem(torch.zeros(3, 2, 2), uniform_marginal(masks[0]), uniform_marginal(masks[1]))


@pytest.mark.parametrize("epsilon", [0.0, -0.1])
def test_epsilon_must_be_positive(epsilon):
    with pytest.raises(UserError, match="^epsilon: "):
        sinkhorn(Problem(SWAP, HALVES, HALVES), epsilon)


def test_an_unconverged_problem_says_so_beside_a_converged_one():
    hard = torch.tensor([[0.0, 0.5, 2.0], [1.9, 0.0, 1.0], [0.3, 1.7, 0.1]])
    cost = torch.stack([torch.full((3, 3), 0.5), hard]).double()
    a = torch.tensor([[1 / 3] * 3, [0.7, 0.2, 0.1]], dtype=torch.float64)
    b = torch.tensor([[1 / 3] * 3, [0.1, 0.1, 0.8]], dtype=torch.float64)
    plan = sinkhorn(Problem(cost, a, b), 0.01, tolerance=1e-6, max_iterations=7)
    assert plan.converged.tolist() == [True, False]
    assert plan.iterations.tolist() == [5, 7]
    assert plan.marginal_error[1] > 1e-6


def test_a_uniform_marginal_is_one_over_n():
    mask = torch.tensor([[True, True, True, True], [True, False, True, False], [False] * 4])
    expected = torch.tensor([[0.25] * 4, [0.5, 0, 0.5, 0], [0] * 4])
    torch.testing.assert_close(uniform_marginal(mask), expected)
