"""IPOT against the loop of its paper, and against the exact transport it approaches."""

import numpy as np
import ot
import pytest
import torch

from optical.errors import UserError
from optical.ot.methods import ipot
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings


def solve(problem: Problem, beta: float, steps: int) -> Plan:
    settings = Settings(method="ipot", epsilon=beta, max_iterations=steps, tolerance=1e-2)
    return ipot.solve(problem, settings, None)


def textbook(a: np.ndarray, b: np.ndarray, cost: np.ndarray, beta: float, steps: int) -> np.ndarray:
    """Algorithm 1 of Xie et al. 2018 with one inner iteration, as it is printed."""
    kernel, plan, sigma = np.exp(-cost / beta), np.ones_like(cost), np.full(len(b), 1 / len(b))
    for _ in range(steps):
        step = kernel * plan
        delta = a / (step @ sigma)
        sigma = b / (step.T @ delta)
        plan = delta[:, None] * step * sigma
    return plan


@pytest.mark.parametrize(("beta", "steps"), [(0.5, 1), (0.5, 2), (0.5, 50), (0.1, 20), (2.0, 7)])
def test_plans_agree_with_the_textbook(fresh_seed, ragged, singles, beta, steps):
    problem = ragged(fresh_seed, batch=8, holes=True)
    plan = solve(problem, beta, steps)
    for one in singles(problem):
        theirs = textbook(one.a, one.b, one.cost, beta, steps)
        np.testing.assert_allclose(plan.matrix[one.cells].numpy(), theirs, atol=1e-10)
    assert (plan.iterations == steps).all()
    torch.testing.assert_close(plan.epsilon, torch.full((8,), beta / steps).double())


def test_many_steps_reach_exact_transport(fresh_seed, ragged, singles):
    problem = ragged(fresh_seed, batch=8)
    plan = solve(problem, 0.5, 3000)
    for one, cost in zip(singles(problem), plan.transport_cost.tolist(), strict=True):
        assert cost == pytest.approx(ot.emd2(one.a, one.b, one.cost), abs=5e-3)


def test_the_marginal_error_is_that_of_the_plan(fresh_seed, ragged):
    problem = ragged(fresh_seed, batch=8)
    plan = solve(problem, 0.5, 50)
    rows, columns = plan.matrix.sum(2) - problem.a, plan.matrix.sum(1) - problem.b
    torch.testing.assert_close(plan.marginal_error, rows.abs().sum(1) + columns.abs().sum(1), atol=1e-12, rtol=1e-9)
    assert torch.equal(plan.converged, plan.marginal_error <= 1e-2)


def test_a_start_is_refused(ragged):
    problem = ragged(0)
    with pytest.raises(UserError, match="^start: ipot takes no potentials"):
        ipot.solve(problem, Settings(method="ipot"), Potentials(problem.a, problem.b))
