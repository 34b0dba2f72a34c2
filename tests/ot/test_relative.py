"""Epsilon in units of each pair's mean cost: against POT with the product by hand, its gradients, its independence."""

import numpy as np
import ot
import pytest
import torch
from torch.nn.functional import normalize

from optical.errors import NotFiniteError, UserError
from optical.ot.cost import cost_matrix
from optical.ot.kernels.compiled import backend as compiled
from optical.ot.loss import loss_with, transport_loss
from optical.ot.problem import Potentials
from optical.ot.settings import LossSettings
from optical.ot.transported import TransportLoss
from optical.ot.values import duality_gap

TIGHT = {"epsilon": 0.2, "epsilon_unit": "mean_cost", "tolerance": 1e-10, "max_iterations": 5000}
MASKS = torch.arange(6) < torch.tensor([6, 4, 1, 2]).unsqueeze(1), torch.arange(7) < torch.tensor([7, 3, 2, 1])[:, None]
MASKS[1][0, 3] = False


def near(spread: float = 0.3, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Unit vectors around a common one; each pair is less spread than the one before it. Padding is not finite."""
    random = torch.Generator().manual_seed(seed)
    common = normalize(torch.randn(8, generator=random, dtype=torch.float64), dim=-1)
    widths = spread * 0.6 ** torch.arange(4).view(4, 1, 1)
    sides = (common + widths * torch.randn(4, n, 8, generator=random, dtype=torch.float64) for n in (6, 7))
    source, target = (normalize(side, dim=-1).to(dtype) for side in sides)
    return source.masked_fill(~MASKS[0].unsqueeze(2), torch.nan), target.masked_fill(~MASKS[1].unsqueeze(2), torch.nan)


def one_pair(row: int, *sides: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """A pair without its padding, and its masks."""
    short = [side[row, mask[row]].unsqueeze(0) for side, mask in zip(sides, MASKS, strict=True)]
    return *short, *(torch.ones(side.shape[:2], dtype=torch.bool) for side in short)


def by_hand(row: int, source: torch.Tensor, target: torch.Tensor, cost: str, order: float) -> tuple[np.ndarray, float]:
    """The costs of one pair, and their mean under uniform marginals."""
    matrix = cost_matrix(cost, *one_pair(row, source, target), order)[0].numpy()
    return matrix, matrix.mean()


def pot(method: str, cost: np.ndarray, epsilon: float, scale: float) -> np.ndarray:
    """POT's plan of one pair with uniform marginals; its penalty is 0.5 of the scale, its partial mass 0.6."""
    a, b = (np.full(size, 1 / size) for size in cost.shape)
    if method == "sinkhorn":
        return ot.bregman.sinkhorn(a, b, cost, epsilon, method="sinkhorn_log", stopThr=1e-13, numItermax=20_000)
    if method == "unbalanced":
        stop = {"reg_type": "kl", "numItermax": 100_000, "stopThr": 1e-13}
        return ot.unbalanced.sinkhorn_unbalanced(a, b, cost, epsilon, 0.5 * scale, **stop)
    stop = {"method": "sinkhorn_log", "numItermax": 5000, "stopThr": 1e-11}
    # POT's entropy has no reference measure; ours is a b^T, which is the same as a cost that has it inside.
    return ot.partial.entropic_partial_wasserstein(a, b, cost - epsilon * np.log(a[:, None] * b), epsilon, 0.6, **stop)


def solved(*sides: torch.Tensor, **options) -> TransportLoss:
    return transport_loss(*sides, *MASKS, **(TIGHT | options))


@pytest.mark.parametrize(("cost", "order"), [("cosine", 0.0), ("cosine", 0.3), ("squared_euclidean", 0.0)])
@pytest.mark.parametrize("method", ["sinkhorn", "unbalanced", "partial"])
def test_plans_agree_with_pot_given_the_product_by_hand(fresh_seed, method, cost, order):
    sides = near(seed=fresh_seed)
    result = solved(*sides, method=method, cost=cost, order_weight=order, penalty=0.5, mass=0.6)
    assert result.converged.all()
    for row in range(4):
        matrix, scale = by_hand(row, *sides, cost, order)
        theirs = pot(method, matrix, 0.2 * scale, scale)
        cells = result.plan.matrix[row][MASKS[0][row]][:, MASKS[1][row]]
        np.testing.assert_allclose(cells, theirs, atol=1e-6)
        assert result.value[row].item() == pytest.approx((theirs * matrix).sum(), abs=1e-6)
        assert result.plan.epsilon[row].item() == pytest.approx(0.2 * scale, rel=1e-9)


def test_the_proximal_step_is_relative_too(fresh_seed):
    sides = near(seed=fresh_seed)
    options = {"method": "ipot", "max_iterations": 30}
    result = solved(*sides, **options)
    for row in range(4):
        _, scale = by_hand(row, *sides, "cosine", 0.0)
        alone = transport_loss(*one_pair(row, *sides), **options, epsilon=0.2 * scale)
        torch.testing.assert_close(result.value[row], alone.value[0], rtol=1e-9, atol=0)


@pytest.mark.parametrize("gradient", ["detached", "implicit"])
def test_single_precision_takes_the_compiled_solver(monkeypatch, gradient):
    calls, solve = [], compiled.sinkhorn
    monkeypatch.setattr(compiled, "sinkhorn", lambda *given: calls.append(len(given[0].cost)) or solve(*given))
    single = solved(*near(dtype=torch.float32), gradient=gradient, tolerance=1e-6, backend="compiled")
    assert calls == [4]
    torch.testing.assert_close(single.value, solved(*near()).value.float(), atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(single.entropy, solved(*near()).entropy.float(), atol=1e-4, rtol=0)


@pytest.mark.parametrize("form", [("detached", "transport"), ("detached", "regularised"), ("implicit", "transport")])
def test_gradients_hold_the_mean_cost_constant(form):
    gradient, value = form
    sides = [side.nan_to_num(0).requires_grad_(True) for side in near()]
    options = {"gradient": gradient, "value": value}
    solved(*sides, **options).value.sum().backward()
    for row in range(4):
        _, scale = by_hand(row, *(side.detach() for side in sides), "cosine", 0.0)
        *alone, source_mask, target_mask = one_pair(row, *(side.detach() for side in sides))
        alone = [side.requires_grad_(True) for side in alone]
        fixed = {"epsilon": 0.2 * scale, "epsilon_unit": "cost"}
        transport_loss(*alone, source_mask, target_mask, **(TIGHT | options | fixed)).value.sum().backward()
        for whole, mask, part in zip(sides, MASKS, alone, strict=True):
            torch.testing.assert_close(whole.grad[row, mask[row]], part.grad[0], atol=1e-8, rtol=1e-6)
            assert (whole.grad[row, ~mask[row]] == 0).all()


@pytest.mark.parametrize("form", [("implicit", "transport"), ("unrolled", "transport"), ("detached", "regularised")])
def test_gradients_are_the_finite_differences_at_a_constant_mean_cost(form):
    gradient, value = form
    source, target, *masks = one_pair(0, *near())
    _, scale = by_hand(0, *near(), "cosine", 0.0)
    # Of a cost that takes any vectors, because a step leaves the sphere; it is twice the cosine one on the sphere.
    options = TIGHT | {"cost": "squared_euclidean", "value": value}
    source.requires_grad_(True)
    transport_loss(source, target, *masks, **options, gradient=gradient).value.sum().backward()
    fixed = options | {"epsilon": 0.2 * 2 * scale, "epsilon_unit": "cost"}
    for token, axis in ((0, 0), (2, 5), (5, 7)):
        moved = []
        for step in (1e-5, -1e-5):
            there = source.detach().clone()
            there[0, token, axis] += step
            moved.append(transport_loss(there, target, *masks, **fixed).value.item())
        assert source.grad[0, token, axis].item() == pytest.approx((moved[0] - moved[1]) / 2e-5, abs=1e-7, rel=1e-5)


def test_neither_the_other_pairs_nor_padding_change_a_pair():
    sides = near()
    whole = solved(*sides)
    for row in range(4):
        alone = transport_loss(*one_pair(row, *sides), **TIGHT)
        torch.testing.assert_close(whole.value[row], alone.value[0], atol=1e-12, rtol=1e-9)
        cells = whole.plan.matrix[row][MASKS[0][row]][:, MASKS[1][row]]
        torch.testing.assert_close(cells, alone.plan.matrix[0], atol=1e-9, rtol=0)


def test_a_change_of_scale_changes_the_unit_alone():
    sides = near()
    one, nine = (solved(*(size * side for side in sides), cost="squared_euclidean") for size in (1, 3))
    torch.testing.assert_close(nine.plan.matrix, one.plan.matrix, atol=1e-9, rtol=0)
    torch.testing.assert_close(nine.value, 9 * one.value)
    torch.testing.assert_close(nine.plan.epsilon, 9 * one.plan.epsilon)
    absolute = [
        solved(*(size * side for side in sides), cost="squared_euclidean", epsilon_unit="cost") for size in (1, 3)
    ]
    assert (absolute[0].plan.matrix - absolute[1].plan.matrix).abs().max() > 1e-2


@pytest.mark.parametrize("method", ["sinkhorn", "unbalanced", "partial"])
def test_the_plan_is_the_one_of_its_own_epsilon_and_potentials(method):
    settings = LossSettings(method=method, penalty=0.5, mass=0.6, **TIGHT)
    result = loss_with(settings, *near(), *MASKS)
    plan = result.plan
    made = torch.exp((plan.f.unsqueeze(2) + plan.g.unsqueeze(1) - plan.problem.real_cost) / plan.epsilon.view(-1, 1, 1))
    torch.testing.assert_close(plan.matrix, made, atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(duality_gap(plan, settings), torch.zeros(4, dtype=torch.float64), atol=1e-9, rtol=0)
    torch.testing.assert_close(plan.transport_cost, result.value)


def test_a_plan_is_a_start_for_the_next_one():
    sides = near()
    cold = solved(*sides, acceleration="none")
    warm = solved(*sides, acceleration="none", start=Potentials(cold.plan.f, cold.plan.g))
    assert cold.iterations.max() > 10
    assert (warm.iterations <= 4).all()
    torch.testing.assert_close(warm.value, cold.value)
    with pytest.raises(UserError, match=r"^start.f: has shape \(4, 5\)"):
        solved(*sides, start=Potentials(cold.plan.f[:, :5], cold.plan.g))
    with pytest.raises(UserError, match="^start: ipot takes no potentials"):
        solved(*sides, method="ipot", start=Potentials(cold.plan.f, cold.plan.g))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_equal_tokens_give_a_plan_without_noise(dtype):
    # Equal up to the last digit, as those of two passes through one encoder: their costs are noise around zero.
    random, rounding = torch.Generator().manual_seed(3), torch.finfo(dtype).eps
    token = normalize(torch.randn(16, 1, 8, generator=random, dtype=dtype), dim=2)
    source, target = (token * (1 + rounding * torch.randn(16, 3, 8, generator=random, dtype=dtype)) for _ in range(2))
    source.requires_grad_(True)
    mask = torch.ones(16, 3, dtype=torch.bool)
    result = transport_loss(source, target, mask, mask, epsilon=0.1, epsilon_unit="mean_cost")
    result.value.sum().backward()
    assert result.converged.all()
    assert result.value.abs().max() < 4 * rounding
    torch.testing.assert_close(source.grad, -target / 3, atol=1e-3, rtol=0)
    assert (result.plan.matrix - 1 / 9).abs().max() < 0.1


def test_the_exact_method_has_no_unit():
    one, other = (solved(*near(), method="exact", epsilon_unit=unit) for unit in ("cost", "mean_cost"))
    assert torch.equal(one.value, other.value)
    assert torch.equal(one.plan.epsilon, torch.zeros(4, dtype=torch.float64))


def test_no_pair_at_all():
    nothing, mask = torch.zeros(0, 3, 4, requires_grad=True), torch.zeros(0, 3, dtype=torch.bool)
    result = transport_loss(nothing, nothing, mask, mask, epsilon_unit="mean_cost")
    assert result.value.shape == (0,)
    result.value.sum().backward()


def test_bad_input_is_refused_by_name():
    source, target = near(dtype=torch.float32)
    with pytest.raises(UserError, match="^backend 'triton': .*epsilon in the cost's units"):
        solved(source, target, backend="triton")
    with pytest.raises(UserError, match="^problem 1: its target side has no mass"):
        empty = MASKS[1] & (torch.arange(4) != 1).unsqueeze(1)
        transport_loss(source, target, MASKS[0], empty, epsilon_unit="mean_cost")
    with pytest.raises(NotFiniteError, match="^cost, pair 0: its mean cost is (inf|nan), and epsilon"):
        solved(1.5e19 * source, 1.5e19 * target, cost="squared_euclidean")
