"""Costs against what can be computed by hand, and their gradients."""

import math

import pytest
import torch
from torch.nn.functional import normalize

from optical.errors import UserError
from optical.ot.cost import COSTS, angular_cost, cosine_cost, cost_matrix, order_distortion, squared_euclidean_cost


def units(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype), dim=-1)


def test_four_directions():
    source = torch.tensor([[[1.0, 0.0]]])
    target = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.5, math.sqrt(0.75)]]])
    for cost, expected, close in (
        (cosine_cost, [0, 1, 2, 0.5], 1e-6),
        (squared_euclidean_cost, [0, 2, 4, 1], 1e-6),
        (angular_cost, [0, 1 / 2, 1, 1 / 3], 5e-4),
    ):
        torch.testing.assert_close(cost(source, target), torch.tensor([[expected]]).float(), atol=close, rtol=0)


def test_squared_distances_of_embeddings_of_any_length():
    source, target = 3 * units(2, 4, 6), 0.5 * units(2, 5, 6, seed=1)
    expected = torch.cdist(source, target, compute_mode="donot_use_mm_for_euclid_dist").square()
    torch.testing.assert_close(squared_euclidean_cost(source, target), expected)
    assert (squared_euclidean_cost(source, source) >= 0).all()


@pytest.mark.parametrize("name", COSTS)
def test_gradients_are_those_of_finite_differences(name):
    source, target = units(2, 3, 4).requires_grad_(True), units(2, 2, 4, seed=1).requires_grad_(True)
    torch.autograd.gradcheck(COSTS[name], (source, target))


def test_the_angle_has_a_finite_gradient_everywhere():
    source = torch.cat([torch.eye(8).unsqueeze(0), units(1, 4, 8, dtype=torch.float32)], 1).requires_grad_(True)
    target = torch.cat([source.detach(), -source.detach()], 1)
    angular_cost(source, target).sum().backward()
    assert source.grad.isfinite().all()


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_half_precision_and_autocast_lose_nothing_but_the_rounding_of_the_embeddings(name, half):
    source, target = units(2, 3, 64).to(half), units(2, 4, 64, seed=1).to(half)
    exact = COSTS[name](source.double(), target.double())
    plain = COSTS[name](source, target)
    with torch.autocast("cpu", torch.bfloat16):
        cast, mixed = COSTS[name](source, target), COSTS[name](source, target.float())
    for cost in (plain, cast, mixed):
        assert cost.dtype == torch.float32
        torch.testing.assert_close(cost.double(), exact, atol=2e-6, rtol=0)
    assert COSTS[name](source.double(), target.float()).dtype == torch.float64


def test_order_distortion_by_hand():
    # Two real tokens, in places 1/2 and 1, against three of four, in places 1/3, 2/3 and 1.
    distortion = order_distortion(torch.tensor([[True, True]]), torch.tensor([[True, False, True, True]]))
    expected = torch.tensor([[[1 / 6, 1 / 6, 1 / 2], [2 / 3, 1 / 3, 0]]])
    torch.testing.assert_close(distortion[:, :, [0, 2, 3]], expected)


def test_padding_and_a_side_without_tokens_leave_distortion_finite_and_the_rest_unmoved():
    short = order_distortion(torch.ones(1, 3, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool))
    long = order_distortion(torch.arange(5).unsqueeze(0) < 3, torch.arange(9).unsqueeze(0) < 4)
    torch.testing.assert_close(long[:, :3, :4], short)
    assert order_distortion(torch.zeros(1, 3, dtype=torch.bool), torch.ones(1, 4, dtype=torch.bool)).isfinite().all()


def test_a_cost_by_name_with_its_order_term():
    source, target = units(2, 3, 4), units(2, 5, 4, seed=1)
    masks = torch.tensor([[True, True, True], [True, False, True]]), torch.ones(2, 5, dtype=torch.bool)
    for name, cost in COSTS.items():
        torch.testing.assert_close(cost_matrix(name, source, target, *masks), cost(source, target))
        expected = cost(source, target) + 0.3 * order_distortion(*masks)
        torch.testing.assert_close(cost_matrix(name, source, target, *masks, order_weight=0.3), expected)
    with pytest.raises(UserError, match="^cost: is 'manhattan'; choose from cosine, squared_euclidean, angular"):
        cost_matrix("manhattan", source, target, *masks)
