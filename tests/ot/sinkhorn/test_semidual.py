"""The semi-duals that Newton steps climb: their derivatives, their best x, their bounds."""

from collections.abc import Callable

import pytest
import torch

from optical.ot.methods.partial import PartialDual
from optical.ot.problem import Problem
from optical.ot.sinkhorn.semidual import RelaxedDual, SemiDual, relative

EPSILON = 0.2


def relaxed(relaxation: float) -> Callable[..., SemiDual]:
    return lambda *given: RelaxedDual(*given, relaxation)


def bounded(mass: float) -> Callable[..., SemiDual]:
    return lambda *given: PartialDual(*given, mass)


MAKERS = {
    "balanced": relaxed(0.0),
    "unbalanced": relaxed(0.3),
    "all but balanced": relaxed(1e-6),
    "partial": bounded(0.6),
    "partial of all": bounded(1.0),
}


@pytest.fixture(params=MAKERS)
def dual(request: pytest.FixtureRequest, ragged) -> SemiDual:
    """One problem of five source and six target tokens, at a random y."""
    problem: Problem = next(
        one for row in range(64) if (one := ragged(7, batch=64).rows(slice(row, row + 1))).real.sum() == 30
    )
    n, m = int((problem.a > 0).sum()), int((problem.b > 0).sum())
    a, b, cost = problem.a[:, :n], problem.b[:, :m], problem.cost[:, :n, :m]
    y = b.log() + torch.randn(1, m, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    return MAKERS[request.param](-cost / EPSILON, a, b, torch.zeros_like(a), y).at(y)


def climbed(dual: SemiDual) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda y: dual.at(y).value()[0]


def test_the_gradient_is_that_of_the_value(dual):
    near, gradient = dual.quadratic(), torch.autograd.functional.jacobian(climbed(dual), dual.y)
    free = near.factor.abs().sum(1) > 0
    assert free.sum() >= 2
    # The gradient of columns that are held is cut to what leads to their bound.
    torch.testing.assert_close(near.gradient[free], gradient[free], atol=1e-10, rtol=1e-9)


def test_the_hessian_is_that_of_the_value(dual):
    near = dual.quadratic()
    hessian = torch.autograd.functional.hessian(climbed(dual), dual.y)[0, :, 0]
    free = (near.factor.abs().sum(1) > 0)[0]
    ours = (torch.diag_embed(near.diagonal) - near.factor.mT @ near.factor)[0]
    torch.testing.assert_close(-ours[free][:, free], hessian[free][:, free], atol=1e-10, rtol=1e-8)


def test_no_other_x_is_better(dual):
    # The conditions of the best x: row sums are those it asks for; where mass is poured, full rows are full.
    if isinstance(dual, PartialDual):
        poured = dual.plan
        torch.testing.assert_close(poured.sum((1, 2)), torch.tensor([dual.mass], dtype=torch.float64))
        assert (poured.sum(2) <= dual.a + 1e-12).all()
        full = relative(dual.a, dual.x) < relative(dual.a, dual.x).amax()
        torch.testing.assert_close(poured.sum(2)[full], dual.a[full])
        return
    rows, asked = dual.plan.sum(2), dual.a * torch.exp(-dual.relaxation * relative(dual.a, dual.x))
    torch.testing.assert_close(rows, asked)


def test_a_sweep_climbs(dual):
    assert dual.swept().value() > dual.value()


def test_held_columns_rise_to_their_bound_at_most():
    # Column 0 holds the highest price and is asked for more than it holds; column 1 is just under it.
    scores, thirds = torch.tensor([[[0.0, -1.0, -9.0]] * 3]).double(), torch.full((1, 3), 1 / 3).double()
    y = thirds.log() + torch.tensor([[0.0, -1e-4, -5.0]], dtype=torch.float64)
    dual = PartialDual(scores, thirds, thirds, torch.zeros_like(thirds), y, 0.3).at(y)
    near = dual.quadratic()
    held = near.factor.abs().sum(1) == 0
    assert held.tolist() == [[True, True, False]]
    step = near.gradient / near.diagonal
    assert step[0, 0] == 0
    torch.testing.assert_close(step[0, 1].item(), 1e-4, rtol=1e-9, atol=0)
    assert (relative(dual.b, dual.moved(5 * step).y) <= 0).all()
