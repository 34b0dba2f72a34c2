"""Primal and dual values: equal at the optimum of every method, and the dual never above it."""

import math

import pytest
import torch

from optical.ot.problem import Problem
from optical.ot.settings import Settings
from optical.ot.solver import solve_with
from optical.ot.values import dual_value, duality_gap, primal_value

METHODS = {
    "sinkhorn": Settings(epsilon=0.1, tolerance=1e-11),
    "unbalanced": Settings(method="unbalanced", epsilon=0.1, penalty=0.7, tolerance=1e-11),
    "partial": Settings(method="partial", epsilon=0.1, mass=0.6, tolerance=1e-11),
    "exact": Settings(method="exact"),
    "ipot": Settings(method="ipot", epsilon=0.5, max_iterations=3000),
}


@pytest.mark.parametrize("method", METHODS)
def test_the_gap_closes(ragged, fresh_seed, method):
    settings = METHODS[method]
    plan = solve_with(ragged(fresh_seed, holes=True), settings)
    gap = duality_gap(plan, settings)
    torch.testing.assert_close(gap, torch.zeros_like(gap), atol=1e-2 if method == "ipot" else 1e-8, rtol=0)


@pytest.mark.parametrize("method", ["sinkhorn", "unbalanced"])
def test_the_dual_stays_below_the_optimum_and_rises_with_the_sweeps(ragged, fresh_seed, method):
    problem = ragged(fresh_seed)
    settings = METHODS[method]
    optimum = primal_value(solve_with(problem, settings), settings)
    last = torch.full_like(optimum, -torch.inf)
    for sweeps in (1, 2, 4, 8):
        few = Settings(method=method, epsilon=0.1, penalty=0.7, tolerance=0.0, max_iterations=sweeps)
        value = dual_value(solve_with(problem, few), few)
        assert (value <= optimum + 1e-9).all()
        assert (value >= last - 1e-9).all()
        last = value


def test_two_tokens_by_hand():
    # P00 = p, P01 = 1/2 - p; <P, C> = 1 - 2p and KL = sum P log (4 P).
    epsilon, halves = 0.4, torch.full((1, 2), 0.5, dtype=torch.float64)
    problem = Problem(torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64), halves, halves)
    settings = Settings(epsilon=epsilon, tolerance=1e-12)
    p = 1 / (2 * (1 + math.exp(-1 / epsilon)))
    by_hand = 1 - 2 * p + epsilon * 2 * (p * math.log(4 * p) + (0.5 - p) * math.log(4 * (0.5 - p)))
    plan = solve_with(problem, settings)
    assert primal_value(plan, settings).item() == pytest.approx(by_hand, abs=1e-12)
    assert dual_value(plan, settings).item() == pytest.approx(by_hand, abs=1e-12)
