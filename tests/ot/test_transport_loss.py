"""The transport loss: its value, its derivative, and the tokens it must not see."""

import math

import pytest
import torch

from optical.errors import UserError
from optical.ot.cost import cosine_cost
from optical.ot.loss import transport_loss
from optical.ot.marginals import uniform_marginal
from optical.ot.problem import Problem
from optical.ot.solver import solve

TIGHT = {"epsilon": 0.2, "tolerance": 1e-6, "max_iterations": 2000}


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def first(*lengths: int, width: int) -> torch.Tensor:
    return torch.arange(width) < torch.tensor(lengths).unsqueeze(1)


def entropic_optimum(source, target, source_mask, target_mask, epsilon: float) -> torch.Tensor:
    """min <P, C> + epsilon KL(P | a b^T), in double precision."""
    cost = cosine_cost(source.double(), target.double())
    a, b = (uniform_marginal(mask).double() for mask in (source_mask, target_mask))
    a, b = a / a.sum(1, keepdim=True), b / b.sum(1, keepdim=True)
    plan = solve(Problem(cost, a, b), epsilon=epsilon, tolerance=1e-11, max_iterations=20_000).matrix
    outer = a.unsqueeze(2) * b.unsqueeze(1)
    divergence = torch.where(plan > 0, plan * (plan / outer.clamp_min(1e-300)).clamp_min(1e-300).log(), 0)
    return (plan * cost + epsilon * divergence).sum((1, 2))


def test_the_cosine_cost_of_four_directions():
    source = torch.tensor([[[1.0, 0.0]]])
    target = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.6, 0.8]]])
    torch.testing.assert_close(cosine_cost(source, target), torch.tensor([[[0.0, 1.0, 2.0, 0.4]]]))


@pytest.mark.parametrize(("same", "expected"), [(1.0, 0.0), (0.0, 1.0), (-1.0, 2.0)])
def test_one_direction_against_itself_its_normal_and_its_opposite(same, expected):
    source = torch.tensor([[[1.0, 0.0]] * 3])
    target = torch.tensor([[[same, math.sqrt(1 - same**2)]] * 4])
    result = transport_loss(source, target, first(3, width=3), first(4, width=4))
    torch.testing.assert_close(result.value, torch.tensor([expected]), atol=1e-6, rtol=0)
    torch.testing.assert_close(result.plan.matrix, torch.full((1, 3, 4), 1 / 12))


def test_two_tokens_by_hand():
    # C = [[0, 1], [1, 0]], so <P, C> = 2 (1/2 - P00) = exp(-1/epsilon) / (1 + exp(-1/epsilon)).
    both = torch.eye(2).unsqueeze(0)
    mask = first(2, width=2)
    for epsilon in (0.1, 0.5, 1.0):
        value = transport_loss(both, both, mask, mask, epsilon=epsilon, tolerance=1e-6).value.item()
        assert value == pytest.approx(1 / (1 + math.exp(1 / epsilon)), abs=1e-6)


def test_identical_sentences_have_the_least_loss():
    sentences, masks = unit(6, 5, 16), torch.ones(6, 5, dtype=torch.bool)
    own = transport_loss(sentences, sentences, masks, masks, epsilon=0.05).value
    other = transport_loss(sentences, sentences.roll(1, 0), masks, masks, epsilon=0.05).value
    assert (own < 0.1).all()
    assert (own < other).all()


def test_the_gradient_is_that_of_the_regularised_cost():
    source, target = unit(2, 4, 3), unit(2, 5, 3, seed=1)
    masks = first(4, 3, width=4), first(5, 2, width=5)
    source.requires_grad_(True)
    transport_loss(source, target, *masks, **TIGHT).value.sum().backward()
    numeric, step = torch.zeros(2, 4, 3, dtype=torch.float64), 1e-5
    for position in torch.cartesian_prod(torch.arange(2), torch.arange(4), torch.arange(3)).tolist():
        moved = []
        for sign in (1, -1):
            at = source.detach().double().clone()
            at[tuple(position)] += sign * step
            moved.append(entropic_optimum(at, target, *masks, TIGHT["epsilon"]).sum())
        numeric[tuple(position)] = (moved[0] - moved[1]) / (2 * step)
    torch.testing.assert_close(source.grad.double(), numeric, atol=2e-5, rtol=1e-4)
    # It is the envelope's gradient, sum_j P_ij (-t_j), and not that of <P, C> with P free to move.
    plan = transport_loss(source, target, *masks, **TIGHT).plan.matrix
    torch.testing.assert_close(source.grad, -plan @ target, atol=1e-6, rtol=0)


def test_a_masked_token_gets_exactly_no_gradient():
    source, target = unit(2, 4, 3).requires_grad_(True), unit(2, 4, 3, seed=1).requires_grad_(True)
    source_mask = torch.tensor([[True, False, True, False], [True, True, True, True]])
    target_mask = torch.tensor([[True, True, False, False], [False, True, True, True]])
    transport_loss(source, target, source_mask, target_mask).value.sum().backward()
    for side, mask in ((source, source_mask), (target, target_mask)):
        assert (side.grad[~mask] == 0).all()
        assert (side.grad[mask].abs().sum(1) > 0).all()


@pytest.mark.parametrize("epsilon", [0.01, 0.1, 1.0])
def test_padding_changes_neither_loss_nor_gradient(epsilon):
    plain = unit(3, 4, 8).requires_grad_(True)
    target = unit(3, 5, 8, seed=1)
    masks = first(4, 2, 1, width=4), first(5, 3, 1, width=5)
    padded = torch.cat([plain.detach(), unit(3, 3, 8, seed=2)], 1).requires_grad_(True)
    wide = torch.cat([target, unit(3, 2, 8, seed=3)], 1)
    wide_masks = first(4, 2, 1, width=7), first(5, 3, 1, width=7)
    short = transport_loss(plain, target, *masks, epsilon=epsilon)
    long = transport_loss(padded, wide, *wide_masks, epsilon=epsilon)
    short.value.sum().backward()
    long.value.sum().backward()
    torch.testing.assert_close(short.value, long.value, atol=1e-6, rtol=0)
    torch.testing.assert_close(short.plan.matrix, long.plan.matrix[:, :4, :5], atol=1e-6, rtol=0)
    torch.testing.assert_close(plain.grad, padded.grad[:, :4], atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_embeddings_are_solved_in_single(dtype):
    source, target, masks = unit(2, 4, 8), unit(2, 4, 8, seed=1), first(4, 3, width=4)
    half = transport_loss(source.to(dtype), target.to(dtype), masks, masks)
    single = transport_loss(source.to(dtype).float(), target.to(dtype).float(), masks, masks)
    assert half.value.dtype == torch.float32
    torch.testing.assert_close(half.value, single.value)


def test_a_sentence_without_tokens_is_refused_by_number():
    with pytest.raises(UserError, match="^problem 1: its target side has no mass"):
        transport_loss(unit(2, 3, 4), unit(2, 3, 4), first(3, 2, width=3), first(3, 0, width=3))


def test_the_evidence_is_the_plans():
    masks = first(4, 2, width=4), first(5, 3, width=5)
    result = transport_loss(unit(2, 4, 8), unit(2, 5, 8, seed=1), *masks, tolerance=1e-5)
    assert result.converged.all()
    error = (result.plan.matrix.sum(2) - result.plan.problem.a).abs().sum(1)
    error += (result.plan.matrix.sum(1) - result.plan.problem.b).abs().sum(1)
    torch.testing.assert_close(result.marginal_error, error, atol=2e-6, rtol=0)
    assert (result.iterations > 1).all()
    torch.testing.assert_close(result.value, (result.plan.matrix * result.plan.problem.cost).sum((1, 2)))


def test_a_loss_that_did_not_converge_says_so():
    masks = first(4, 2, width=4), first(5, 3, width=5)
    result = transport_loss(unit(2, 4, 8), unit(2, 5, 8, seed=1), *masks, epsilon=0.01, max_iterations=2)
    assert not result.converged.any()
    assert (result.marginal_error > 1e-4).all()


def test_no_pair_at_all():
    nothing = torch.zeros(0, 3, 4, requires_grad=True)
    mask = torch.zeros(0, 3, dtype=torch.bool)
    for gradient in ("detached", "implicit", "unrolled"):
        result = transport_loss(nothing, nothing, mask, mask, gradient=gradient)
        assert result.value.shape == (0,)
        result.value.sum().backward()


def test_weights_make_the_marginals():
    source, target, masks = unit(1, 3, 8), unit(1, 4, 8, seed=1), (first(3, width=3), first(4, width=4))
    weights = torch.tensor([[3.0, 1.0, 0.0]]), torch.tensor([[1.0, 1.0, 1.0, 1.0]])
    options = {"marginals": "idf", "source_weights": weights[0], "target_weights": weights[1], "tolerance": 1e-6}
    plan = transport_loss(source, target, *masks, **options).plan
    torch.testing.assert_close(plan.matrix.sum(2), torch.tensor([[0.75, 0.25, 0.0]]), atol=1e-5, rtol=0)


def test_the_order_term_favours_the_diagonal():
    tokens, mask = torch.ones(1, 4, 8) / 8**0.5, first(4, width=4)
    flat = transport_loss(tokens, tokens, mask, mask).plan.matrix
    ordered = transport_loss(tokens, tokens, mask, mask, order_weight=1.0).plan.matrix
    torch.testing.assert_close(flat, torch.full((1, 4, 4), 1 / 16))
    assert torch.diagonal(ordered[0]).sum() > 0.5


@pytest.mark.parametrize("cost", ["cosine", "squared_euclidean", "angular"])
@pytest.mark.parametrize("method", ["sinkhorn", "ipot", "unbalanced", "partial", "exact"])
def test_every_method_trains_on_every_cost(method, cost):
    source = unit(2, 4, 8).requires_grad_(True)
    masks = first(4, 2, width=4), first(5, 3, width=5)
    options = {"method": method, "cost": cost, "mass": 0.5, "max_iterations": 50}
    result = transport_loss(source, unit(2, 5, 8, seed=1), *masks, **options)
    result.value.sum().backward()
    assert (result.value > 0).all()
    assert (source.grad[masks[0]].abs().sum(1) > 0).any()
    assert (source.grad[~masks[0]] == 0).all()


def test_a_backend_that_is_not_here_is_refused_with_the_reason():
    masks = first(4, width=4), first(5, width=5)
    with pytest.raises(UserError, match="^backend 'triton': "):
        transport_loss(unit(1, 4, 8), unit(1, 5, 8), *masks, cost="angular", backend="triton")
    with pytest.raises(UserError, match="^backend 'compiled': .*float32"):
        transport_loss(unit(1, 4, 8).double(), unit(1, 5, 8).double(), *masks, backend="compiled")
