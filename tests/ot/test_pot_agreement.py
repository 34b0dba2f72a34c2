"""Agreement with the field's own tools on random ragged problems: POT, pair by pair and batched, and scipy."""

import numpy as np
import ot
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import logsumexp

from optical.ot.problem import Problem
from optical.ot.settings import Settings
from optical.ot.solver import solve
from optical.ot.values import primal_value

TIGHT = {"tolerance": 1e-11, "max_iterations": 5000}


def cut(problem: Problem, row: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[torch.Tensor, torch.Tensor]]:
    """One problem without its padding, and the positions of its real cells."""
    rows, columns = problem.a[row].nonzero(), problem.b[row].nonzero().squeeze(1)
    cells = rows, columns
    return problem.a[row][rows[:, 0]].numpy(), problem.b[row][columns].numpy(), problem.cost[row][cells].numpy(), cells


def reference(problem: Problem, epsilon: float) -> torch.Tensor:
    """Plans of POT's batched log-domain solver, in double precision; zero masses stand for padding there too."""
    cost, a, b = problem.real_cost.double(), problem.a.double(), problem.b.double()
    a, b = a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True)
    options = {"max_iter": 3000, "tol": 1e-13, "method": "log_sinkhorn", "grad": "detach"}
    return ot.solve_batch(cost, reg=epsilon, a=a, b=b, **options).plan


@pytest.mark.parametrize("epsilon", [0.1, 0.3, 1.0])
def test_plans_and_potentials_pair_by_pair(ragged, fresh_seed, epsilon):
    problem = ragged(fresh_seed, holes=True)
    plan = solve(problem, epsilon=epsilon, **TIGHT)
    for row in range(len(problem.cost)):
        a, b, cost, cells = cut(problem, row)
        options = {"method": "sinkhorn_log", "stopThr": 1e-12, "numItermax": 5000, "log": True}
        theirs, log = ot.bregman.sinkhorn(a, b, cost, epsilon, **options)
        assert abs(plan.matrix[row][cells].numpy() - theirs).sum() < 1e-8
        # Potentials are unique up to one constant moved from f to g.
        ours = plan.f[row][cells[0][:, 0]].numpy(), plan.g[row][cells[1]].numpy()
        for potential, scaling in zip(ours, (log["log_u"], log["log_v"]), strict=True):
            difference = potential - epsilon * scaling
            assert abs(difference - difference.mean()).max() < 1e-7


@pytest.mark.parametrize(
    ("backend", "dtype", "plan_error"),
    [("torch", torch.float64, 1e-8), ("torch", torch.float32, 1e-4), ("auto", torch.float32, 1e-4)],
)
def test_two_thousand_plans_and_values(ragged, fresh_seed, backend, dtype, plan_error):
    problem = ragged(fresh_seed, batch=2000, dtype=dtype, holes=True)
    tolerance = 1e-10 if dtype == torch.float64 else 1e-6
    plan = solve(problem, epsilon=0.3, tolerance=tolerance, backend=backend)
    theirs = reference(problem, 0.3)
    assert plan.converged.all()
    assert (plan.matrix - theirs).abs().sum((1, 2)).max() < plan_error
    value = (theirs * problem.real_cost).sum((1, 2)).to(dtype)
    torch.testing.assert_close(plan.transport_cost, value, rtol=1e-5, atol=1e-7)


def test_the_optimum_is_the_one_a_general_optimiser_finds(ragged, fresh_seed):
    problem, epsilon = ragged(fresh_seed, batch=12, holes=True), 0.2
    values = primal_value(solve(problem, epsilon=epsilon, **TIGHT), Settings(epsilon=epsilon))
    for row, value in enumerate(values.tolist()):
        a, b, cost, _ = cut(problem, row)

        def negative_dual(g, a=a, b=b, cost=cost):
            f = -epsilon * logsumexp((g - cost) / epsilon, axis=1, b=b)
            plan = np.outer(a, b) * np.exp((f[:, None] + g - cost) / epsilon)
            return -(a @ f + b @ g), plan.sum(0) - b

        best = minimize(negative_dual, np.zeros_like(b), jac=True, method="L-BFGS-B", options={"gtol": 1e-10})
        assert value == pytest.approx(-best.fun, abs=1e-7)
