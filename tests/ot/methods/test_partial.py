"""Partial transport against POT, its constraints, and its limits."""

import numpy as np
import ot
import pytest
import torch

from optical.errors import UserError
from optical.ot import solver
from optical.ot.methods import partial
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings


def solve(problem: Problem, epsilon: float, mass: float, tolerance: float = 1e-11, most: int = 20_000) -> Plan:
    settings = Settings(method="partial", epsilon=epsilon, mass=mass, tolerance=tolerance, max_iterations=most)
    return partial.solve(problem, settings, None)


@pytest.mark.parametrize(("epsilon", "mass"), [(0.1, 0.5), (0.2, 0.7), (0.3, 0.2), (0.5, 0.9), (2.0, 0.6)])
def test_plans_agree_with_pot(fresh_seed, ragged, singles, epsilon, mass):
    problem = ragged(fresh_seed, batch=8, holes=True)
    plan = solve(problem, epsilon, mass, tolerance=1e-9)
    for one in singles(problem):
        # POT's entropy has no reference measure; ours is a b^T, which is the same as a cost that has it inside.
        cost = one.cost - epsilon * np.log(one.a[:, None] * one.b)
        theirs = ot.partial.entropic_partial_wasserstein(
            one.a, one.b, cost, epsilon, mass, method="sinkhorn_log", numItermax=100_000, stopThr=1e-12
        )
        assert abs(plan.matrix[one.cells].numpy() - theirs).sum() < 1e-6


@pytest.mark.parametrize("mass", [0.1, 0.5, 0.9, 1.0])
def test_the_constraints_hold(fresh_seed, ragged, mass):
    problem = ragged(fresh_seed, batch=16)
    plan = solve(problem, 0.2, mass, tolerance=1e-9)
    assert plan.converged.all()
    torch.testing.assert_close(plan.matrix.sum((1, 2)), torch.full((16,), mass, dtype=torch.float64), atol=1e-9, rtol=0)
    assert (plan.matrix.sum(2) - problem.a).max() < 1e-9
    assert (plan.matrix.sum(1) - problem.b).max() < 1e-9


def test_small_epsilon_reaches_the_exact_partial_plan(fresh_seed, ragged, singles):
    problem = ragged(fresh_seed, batch=8)
    plan = solver.solve(problem, "partial", epsilon=0.005, mass=0.6)
    # A plan may undercut the exact cost by what it moves beyond the capacities alone. That mass could be moved from a
    # token that has some left to another, for two at most: costs are in [0, 2], and four tenths are left on each side.
    excess = sum((plan.matrix.sum(axis) - side).clamp_min(0).sum(1) for axis, side in ((2, problem.a), (1, problem.b)))
    assert (excess[plan.converged] <= 1e-4).all()
    solved = zip(singles(problem), plan.transport_cost.tolist(), excess.tolist(), strict=True)
    for one, cost, beyond in solved:
        exact = ot.partial.partial_wasserstein2(one.a, one.b, one.cost, 0.6)
        assert -2 * beyond - 1e-9 < cost - exact < 0.03


@pytest.mark.parametrize("mass", [0.3, 0.7, 0.999, 1.0])
def test_the_dual_value_proves_the_primal_one(fresh_seed, ragged, mass):
    problem, epsilon = ragged(fresh_seed, batch=32), 0.2
    plan, reference = solve(problem, epsilon, mass, most=1000), problem.a.unsqueeze(2) * problem.b.unsqueeze(1)
    entropy = torch.xlogy(plan.matrix, plan.matrix / reference).nan_to_num() - plan.matrix + reference
    primal = plan.transport_cost + epsilon * entropy.sum((1, 2))
    # A row's own price is at most zero; what remains is the price of mass, the same for all.
    dual = epsilon * (reference - plan.matrix).sum((1, 2))
    for side, potential in ((problem.a, plan.f), (problem.b, plan.g)):
        bare = torch.where(side > 0, potential - epsilon * side.log(), -torch.inf)
        price = bare.amax(1, keepdim=True)
        dual = dual + mass * price.squeeze(1) + torch.where(side > 0, side * (bare - price), 0).sum(1)
    torch.testing.assert_close(primal, dual, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("epsilon", [1e-3, 1e-2, 1e-1])
def test_capacities_that_hold_the_mass_to_the_last_digit(epsilon):
    # The two cheap cells hold just the mass: there is nothing left to share among open rows.
    cost = torch.full((1, 4, 4), 1.5).double() - torch.eye(4).double() * torch.tensor([1.5, 1.4, 0, 0])
    quarters = torch.full((1, 4), 0.25).double()
    plan = solve(Problem(cost, quarters, quarters), epsilon, 0.5, tolerance=1e-5)
    assert plan.converged.all()
    assert plan.matrix.sum().item() == pytest.approx(0.5, abs=1e-9)
    if epsilon < 0.1:
        torch.testing.assert_close(plan.matrix[0].diagonal()[:2], quarters[0, :2], atol=1e-6, rtol=0)


def test_more_mass_than_a_side_has_is_refused_by_number(ragged):
    problem = ragged(0, batch=3)
    scales = torch.tensor([[1.0], [0.5], [1.0]]).double()
    with pytest.raises(UserError, match=r"^problem 1: cannot move a mass of 0\.7, as one side has 0\.5"):
        solve(Problem(problem.cost, problem.a, problem.b * scales), 0.1, 0.7)


def test_all_the_mass_may_be_asked_for_in_single_precision(clouds):
    plan = solve(clouds(0, batch=16), 0.1, 1.0, tolerance=1e-5)
    assert plan.converged.all()
    assert plan.matrix.dtype == torch.float32


def test_water_filling_with_rounded_capacities_that_hold_exactly_the_mass(fresh_seed):
    # Levels so far apart that the open tokens hold nothing; the thirty lowest hold the mass up to rounding.
    generator = torch.Generator().manual_seed(fresh_seed)
    order = torch.rand(1000, 40, generator=generator).argsort(1)
    capacity = torch.rand(1000, 40, generator=generator, dtype=torch.float64) + 0.1
    capacity = 0.5 * capacity / (capacity * (order < 30)).sum(1, keepdim=True)
    soft = 50.0 * order.double()
    held = capacity * torch.exp(partial._fill(soft, capacity.log(), 0.5, 1.0) - soft)
    torch.testing.assert_close(held.sum(1), torch.full((1000,), 0.5, dtype=torch.float64), atol=1e-12, rtol=0)
