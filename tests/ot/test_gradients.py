"""The three gradients of the transport loss: what each is the derivative of, and that they differ."""

import pytest
import torch

from optical.errors import UserError
from optical.ot.gradients import implicit_derivative, unrolled_plan
from optical.ot.loss import transport_loss
from optical.ot.problem import Problem
from optical.ot.settings import LossSettings
from optical.ot.solver import solve

TIGHT = {"epsilon": 0.3, "tolerance": 1e-11, "max_iterations": 2000}


def embeddings(seed: int = 0, n: int = 4, m: int = 5, dim: int = 2) -> tuple[torch.Tensor, ...]:
    random = torch.Generator().manual_seed(seed)
    source, target = (
        torch.nn.functional.normalize(torch.randn(2, size, dim, generator=random, dtype=torch.float64), dim=-1)
        for size in (n, m)
    )
    source_mask = torch.arange(n) < torch.tensor([n, 2]).unsqueeze(1)
    target_mask = torch.arange(m) < torch.tensor([3, m]).unsqueeze(1)
    target_mask[1, 2] = False
    return source, target, source_mask, target_mask


def with_respect_to_the_source(**options) -> torch.Tensor:
    source, target, *masks = embeddings()
    source.requires_grad_(True)
    transport_loss(source, target, *masks, **(TIGHT | options)).value.sum().backward()
    return source.grad


@pytest.mark.parametrize("gradient", ["implicit", "unrolled"])
def test_the_exact_gradients_pass_gradcheck_on_both_sides(gradient):
    source, target, *masks = embeddings()

    def loss(source, target):
        return transport_loss(source, target, *masks, gradient=gradient, **TIGHT).value

    assert torch.autograd.gradcheck(loss, (source.requires_grad_(True), target.requires_grad_(True)), atol=1e-7)


def test_the_regularised_value_passes_gradcheck_with_the_plan_as_its_derivative():
    source, target, *masks = embeddings()

    def loss(source, target):
        return transport_loss(source, target, *masks, value="regularised", **TIGHT).value

    assert torch.autograd.gradcheck(loss, (source.requires_grad_(True), target.requires_grad_(True)), atol=1e-7)


def test_the_detached_gradient_is_another_one():
    detached, exact = (with_respect_to_the_source(gradient=gradient) for gradient in ("detached", "implicit"))
    cosine = torch.nn.functional.cosine_similarity(detached.flatten(), exact.flatten(), dim=0)
    assert 0.8 < cosine < 0.995


@pytest.mark.parametrize("epsilon", [0.05, 0.2, 1.0])
def test_implicit_and_unrolled_agree_at_convergence(epsilon):
    implicit, unrolled = (
        with_respect_to_the_source(gradient=gradient, epsilon=epsilon) for gradient in ("implicit", "unrolled")
    )
    torch.testing.assert_close(implicit, unrolled, atol=1e-7, rtol=1e-6)


def test_a_constant_added_to_the_cost_has_no_effect_on_the_exact_gradient():
    source, target, source_mask, target_mask = embeddings()
    a, b = (mask.double() / mask.sum(1, keepdim=True) for mask in (source_mask, target_mask))
    derivatives = [
        implicit_derivative(solve(Problem(1 + constant - source @ target.transpose(1, 2), a, b), **TIGHT))
        for constant in (0.0, 3.0)
    ]
    torch.testing.assert_close(*derivatives, atol=1e-9, rtol=1e-7)


def test_the_unrolled_plan_is_the_solvers_plan():
    source, target, source_mask, target_mask = embeddings()
    a, b = (mask.double() / mask.sum(1, keepdim=True) for mask in (source_mask, target_mask))
    problem = Problem(1 - source @ target.transpose(1, 2), a, b)
    unrolled = unrolled_plan(problem, problem.cost, TIGHT["epsilon"], 500)
    torch.testing.assert_close(unrolled, solve(problem, **TIGHT).matrix, atol=1e-10, rtol=0)


@pytest.mark.parametrize("gradient", ["detached", "implicit", "unrolled"])
def test_masked_tokens_get_exactly_no_gradient(gradient):
    source, target, source_mask, target_mask = embeddings()
    source.requires_grad_(True), target.requires_grad_(True)
    transport_loss(source, target, source_mask, target_mask, gradient=gradient, **TIGHT).value.sum().backward()
    for side, mask in ((source, source_mask), (target, target_mask)):
        assert (side.grad[~mask] == 0).all()
        assert (side.grad[mask].abs().sum(1) > 0).all()


@pytest.mark.parametrize("gradient", ["implicit", "unrolled"])
def test_an_exact_gradient_is_refused_where_there_is_none(gradient):
    arguments = embeddings()
    with pytest.raises(UserError, match="^gradient: .*'unbalanced'"):
        transport_loss(*arguments, method="unbalanced", gradient=gradient)
    with pytest.raises(UserError, match="^gradient: .*regularised"):
        transport_loss(*arguments, value="regularised", gradient=gradient)


def test_an_unknown_gradient_is_refused_with_the_choice():
    with pytest.raises(UserError, match="^gradient: .*detached, implicit, unrolled"):
        # The run-time checker of the tests refuses the name before the class can.
        settings = LossSettings()
        object.__setattr__(settings, "gradient", "last_step")
        settings.__post_init__()
