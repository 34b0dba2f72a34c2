"""The Sinkhorn divergence: zero for equals, positive for others, and its two limits."""

import ot
import pytest
import torch
from torch.nn.functional import normalize

from optical.ot.cost import COSTS, cost_matrix
from optical.ot.divergence import sinkhorn_divergence
from optical.ot.marginals import uniform_marginal

# Lengths are powers of two, so that 1/n has no rounding to hold up a tight tolerance.
SOURCE_MASK = torch.tensor(
    [[True] * 4 + [False], [True, False, False, True, False], [True] + [False] * 4, [True, True, False, True, True]]
)
TARGET_MASK = torch.tensor([[True] * 4, [True, False, False, True], [True, True, False, False], [False, True] * 2])


def pair(seed: int) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(seed)
    source, target = (normalize(torch.randn(4, n, 6, generator=generator).double(), dim=-1) for n in (5, 4))
    return source, target, SOURCE_MASK, TARGET_MASK


@pytest.mark.parametrize("order_weight", [0.0, 0.5])
@pytest.mark.parametrize("cost", COSTS)
@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_it_is_positive_and_zero_for_the_same_cloud(fresh_seed, cost, epsilon, order_weight):
    source, target, source_mask, target_mask = pair(fresh_seed)
    options = {"cost": cost, "epsilon": epsilon, "order_weight": order_weight, "tolerance": 1e-9}
    other = sinkhorn_divergence(source, target, source_mask, target_mask, **options)
    assert other.converged.all()
    assert (other.value > 1e-3).all()
    same = sinkhorn_divergence(source, source, source_mask, source_mask, **options)
    torch.testing.assert_close(same.value, torch.zeros(4).double(), atol=1e-8, rtol=0)
    assert (same.between.value > 0)[[0, 1, 3]].all(), "transport alone is biased"


def test_the_order_of_tokens_and_sides_does_not_matter(fresh_seed):
    source, target, source_mask, target_mask = pair(fresh_seed)
    value = sinkhorn_divergence(source, target, source_mask, target_mask, tolerance=1e-9).value
    swapped = sinkhorn_divergence(target, source, target_mask, source_mask, tolerance=1e-9).value
    turned = sinkhorn_divergence(source.flip(1), target, source_mask.flip(1), target_mask, tolerance=1e-9).value
    torch.testing.assert_close(swapped, value, atol=1e-8, rtol=0)
    torch.testing.assert_close(turned, value, atol=1e-8, rtol=0)


def test_a_large_epsilon_gives_half_the_squared_distance_of_the_means(fresh_seed):
    source, target, source_mask, target_mask = pair(fresh_seed)
    value = sinkhorn_divergence(source, target, source_mask, target_mask, epsilon=1e4, tolerance=1e-12).value
    means = [
        (uniform_marginal(mask).double().unsqueeze(2) * side).sum(1)
        for side, mask in ((source, source_mask), (target, target_mask))
    ]
    torch.testing.assert_close(value, (means[0] - means[1]).square().sum(1) / 2, atol=1e-4, rtol=0)


def test_a_small_epsilon_gives_exact_transport(fresh_seed):
    source, target, source_mask, target_mask = pair(fresh_seed)
    value = sinkhorn_divergence(source, target, source_mask, target_mask, epsilon=2e-3).value
    cost = cost_matrix("cosine", source, target, source_mask, target_mask)
    for row in range(4):
        i, j = SOURCE_MASK[row], TARGET_MASK[row]
        assert value[row].item() == pytest.approx(ot.emd2([], [], cost[row][i][:, j].numpy()), abs=0.01)


def test_its_gradient_is_that_of_finite_differences():
    source, target, source_mask, target_mask = (part[:2] for part in pair(0))

    def value(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return sinkhorn_divergence(x, y, source_mask, target_mask, epsilon=0.3, tolerance=1e-12).value

    torch.autograd.gradcheck(
        value, (source.requires_grad_(True), target.requires_grad_(True)), atol=1e-6, fast_mode=True
    )


def test_weights_go_to_their_own_side():
    source, target, source_mask, target_mask = pair(1)
    generator = torch.Generator().manual_seed(2)
    weights = torch.rand(4, 5, generator=generator), torch.rand(4, 4, generator=generator)
    options = {"marginals": "given", "tolerance": 1e-6}
    made = sinkhorn_divergence(
        source, target, source_mask, target_mask, source_weights=weights[0], target_weights=weights[1], **options
    )
    masses = [
        (weight * mask) / (weight * mask).sum(1, keepdim=True)
        for weight, mask in zip(weights, (source_mask, target_mask), strict=True)
    ]
    for part, a, b in (
        (made.between, *masses),
        (made.within_source, masses[0], masses[0]),
        (made.within_target, masses[1], masses[1]),
    ):
        torch.testing.assert_close(part.plan.problem.a.float(), a)
        torch.testing.assert_close(part.plan.problem.b.float(), b)
