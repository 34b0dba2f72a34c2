"""Unbalanced transport against POT, what is known in closed form, and its own optimality."""

import math

import ot
import pytest
import torch

from optical.ot.methods import unbalanced
from optical.ot.problem import Plan, Problem
from optical.ot.settings import Settings


def solve(problem: Problem, epsilon: float, penalty: float, tolerance: float = 1e-11, most: int = 20_000) -> Plan:
    settings = Settings(method="unbalanced", epsilon=epsilon, penalty=penalty, tolerance=tolerance, max_iterations=most)
    return unbalanced.solve(problem, settings, None)


def divergence(of: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    """KL(P | Q) = sum P log(P / Q) - P + Q."""
    return (torch.xlogy(of, of / reference).nan_to_num() - of + reference).flatten(1).sum(1)


@pytest.mark.parametrize(("epsilon", "penalty"), [(0.1, 5.0), (0.1, 1.0), (0.2, 0.05), (1.0, 0.01), (5.0, 2.0)])
def test_plans_agree_with_pot(fresh_seed, ragged, singles, epsilon, penalty):
    problem = ragged(fresh_seed, batch=8, holes=True)
    plan = solve(problem, epsilon, penalty)
    for one in singles(problem):
        theirs = ot.unbalanced.sinkhorn_unbalanced(
            one.a, one.b, one.cost, epsilon, penalty, reg_type="kl", numItermax=100_000, stopThr=1e-12
        )
        assert abs(plan.matrix[one.cells].numpy() - theirs).sum() < 1e-7


@pytest.mark.parametrize("penalty", [0.2, 3.0])
def test_a_single_cell_in_closed_form(penalty):
    # p = a b exp((f + g - C) / epsilon), p = a exp(-f / rho) = b exp(-g / rho): one equation for log p.
    epsilon, cost, a, b = 0.1, 0.7, 0.5, 2.0
    log_p = ((epsilon + penalty) * math.log(a * b) - cost) / (epsilon + 2 * penalty)
    problem = Problem(*(torch.tensor(part, dtype=torch.float64) for part in ([[[cost]]], [[a]], [[b]])))
    assert solve(problem, epsilon, penalty).matrix.item() == pytest.approx(math.exp(log_p), rel=1e-9)


def test_no_step_stalls_where_the_price_dwarfs_epsilon(fresh_seed, clouds):
    # Plain steps contract by rho / (rho + epsilon) each: 1e5 sweeps for the last digit here.
    problem = clouds(fresh_seed, batch=16, dtype=torch.float64)
    plan = solve(problem, 0.1, 1000.0, tolerance=1e-4, most=1000)
    assert plan.converged.all()
    assert (plan.iterations < 400).all()
    assert (plan.matrix.sum((1, 2)) > 0.998).all()


def test_the_dual_value_proves_the_primal_one(fresh_seed, ragged):
    problem, epsilon, rho = ragged(fresh_seed, batch=8), 0.1, 0.4
    plan, reference = solve(problem, epsilon, rho), problem.a.unsqueeze(2) * problem.b.unsqueeze(1)
    rows, columns = plan.matrix.sum(2), plan.matrix.sum(1)
    primal = plan.transport_cost + epsilon * divergence(plan.matrix, reference)
    primal = primal + rho * (divergence(rows, problem.a) + divergence(columns, problem.b))
    paid = [
        torch.where(mass > 0, mass * (1 - torch.exp((epsilon * mass.log() - potential) / rho)), 0).sum(1)
        for mass, potential in ((problem.a, plan.f), (problem.b, plan.g))
    ]
    dual = rho * sum(paid) + epsilon * (reference - plan.matrix).sum((1, 2))
    torch.testing.assert_close(primal, dual, rtol=1e-8, atol=1e-10)


def test_less_mass_moves_where_making_it_is_cheap(fresh_seed, ragged):
    problem = ragged(fresh_seed, batch=8)
    moved = [solve(problem, 0.1, penalty).matrix.sum((1, 2)) for penalty in (0.05, 0.5, 5.0)]
    assert (moved[0] < moved[1]).all()
    assert (moved[1] < moved[2]).all()


def test_the_two_sides_may_differ_in_mass(ragged, singles):
    problem = ragged(4, batch=4)
    problem = Problem(problem.cost, 3 * problem.a, problem.b)
    plan = solve(problem, 0.1, 1.0)
    assert plan.converged.all()
    for one in singles(problem):
        theirs = ot.unbalanced.sinkhorn_unbalanced(one.a, one.b, one.cost, 0.1, 1.0, numItermax=100_000, stopThr=1e-13)
        assert abs(plan.matrix[one.cells].numpy() - theirs).sum() < 1e-8
