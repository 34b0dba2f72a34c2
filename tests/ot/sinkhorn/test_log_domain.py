"""What the log-domain methods have in common: what never changes, and what they bear."""

from collections.abc import Callable

import pytest
import torch

from optical.ot.methods import ipot, partial, unbalanced
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings

SOLVERS = {"ipot": ipot.solve, "unbalanced": unbalanced.solve, "partial": partial.solve}
# IPOT's exponents reach C / epsilon times the steps: at 4,000 a rounding is 4.5e-13, and 200 steps add theirs up.
ROUNDING = {"ipot": 1e-9, "unbalanced": 1e-11, "partial": 1e-11}


@pytest.fixture(params=SOLVERS)
def solve(request: pytest.FixtureRequest) -> Callable[..., Plan]:
    """Each method in turn, with settings to overwrite."""

    def call(problem: Problem, start: Potentials | None = None, **fields: float) -> Plan:
        chosen = {"epsilon": 0.1, "mass": 0.6, "penalty": 0.5, "tolerance": 1e-6, "max_iterations": 200} | fields
        return SOLVERS[request.param](problem, Settings(method=request.param, **chosen), start)

    call.method = request.param
    return call


def test_a_problem_is_solved_the_same_without_its_batch_mates(fresh_seed, ragged, solve):
    problem = ragged(fresh_seed, batch=12, holes=True)
    together = solve(problem)
    for row in range(12):
        alone = solve(problem.rows(slice(row, row + 1)))
        torch.testing.assert_close(alone.matrix[0], together.matrix[row], atol=1e-13, rtol=ROUNDING[solve.method])
        assert alone.iterations == together.iterations[row]


def test_padding_changes_nothing_and_gets_nothing(fresh_seed, ragged, solve):
    problem = ragged(fresh_seed, batch=6, holes=True)
    cost = torch.full((6, 10, 9), torch.nan).double()
    cost[:, 2:9, 1:8] = problem.cost
    a, b = torch.zeros(6, 10).double(), torch.zeros(6, 9).double()
    a[:, 2:9], b[:, 1:8] = problem.a, problem.b
    short, wide = solve(problem), solve(Problem(cost, a, b))
    torch.testing.assert_close(wide.matrix[:, 2:9, 1:8], short.matrix, atol=1e-13, rtol=ROUNDING[solve.method])
    assert (wide.matrix[~wide.problem.real] == 0).all()
    assert (wide.f[a == 0] == -torch.inf).all()
    assert (wide.g[b == 0] == -torch.inf).all()


def test_the_potentials_give_back_the_plan_and_the_sides_can_be_swapped(fresh_seed, ragged, solve):
    problem = ragged(fresh_seed, batch=6)
    plan = solve(problem, epsilon=0.2, tolerance=1e-9, max_iterations=2000 if solve.method != "ipot" else 200)
    swapped = Problem(problem.cost.mT.contiguous(), problem.b, problem.a)
    if solve.method != "ipot":  # The order of its half steps matters to IPOT.
        other = solve(swapped, tolerance=1e-9, epsilon=0.2, max_iterations=2000)
        torch.testing.assert_close(plan.matrix, other.matrix.mT, atol=1e-7, rtol=0)
    slack = plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - problem.cost
    torch.testing.assert_close(torch.exp(slack / plan.epsilon.view(-1, 1, 1)), plan.matrix)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("epsilon", [1e-3, 0.02, 0.3, 10.0])
def test_nothing_overflows(epsilon, dtype, solve):
    generator = torch.Generator().manual_seed(3)
    units = torch.nn.functional.normalize(torch.randn(1, 6, 5, generator=generator, dtype=dtype), dim=-1)
    alike, opposite = 1 - units @ units.mT, 1 + units @ units.mT
    cost = torch.cat([alike, opposite, torch.zeros_like(alike), torch.ones_like(alike), 2 * torch.ones_like(alike)])
    a, b = (torch.full((5, 6), 1 / 6, dtype=dtype) for _ in range(2))
    a[1], b[1] = torch.eye(6, dtype=dtype)[2], torch.eye(6, dtype=dtype)[4]  # one token on either side
    b[2] = torch.eye(6, dtype=dtype)[0]
    plan = solve(Problem(cost, a, b), epsilon=epsilon)
    assert plan.matrix.dtype == dtype
    assert plan.f.dtype == torch.float64
    for part in (plan.matrix, plan.transport_cost, plan.marginal_error):
        assert part.isfinite().all()
    assert plan.f[a > 0].isfinite().all()
    assert (plan.matrix.sum((1, 2)) > 0).all() or epsilon == 1e-3


def test_too_few_sweeps_are_reported(fresh_seed, clouds, solve):
    plan = solve(clouds(fresh_seed, batch=8), epsilon=0.01, tolerance=1e-9, max_iterations=3)
    assert not plan.converged.all()
    assert torch.equal(plan.converged, plan.marginal_error <= 1e-9)
    assert (plan.iterations[~plan.converged] == 3).all()


def test_no_problems_at_all(ragged, solve):
    plan = solve(ragged(0).rows(slice(0, 0)))
    assert plan.matrix.shape == (0, 7, 7)
    assert plan.converged.shape == (0,)


@pytest.mark.parametrize("module", [unbalanced, partial])
def test_an_earlier_plan_is_a_good_start(fresh_seed, ragged, module):
    problem = ragged(fresh_seed, batch=8, holes=True)
    settings = Settings(epsilon=0.1, mass=0.6, penalty=0.5, tolerance=1e-9, max_iterations=5000)
    cold = module.solve(problem, settings, None)
    warm = module.solve(problem, settings, Potentials(cold.f, cold.g))
    assert (warm.iterations == 1).all()
    torch.testing.assert_close(warm.matrix, cold.matrix, atol=1e-8, rtol=0)


@pytest.mark.parametrize("module", [unbalanced, partial])
def test_without_a_tolerance_every_sweep_is_run(ragged, module):
    plan = module.solve(ragged(0), Settings(epsilon=1.0, mass=0.3, tolerance=0.0, max_iterations=17), None)
    assert (plan.iterations == 17).all()
