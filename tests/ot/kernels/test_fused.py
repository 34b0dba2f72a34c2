"""The loss by the compiled fused kernel, beside the same loss by plain torch in double precision."""

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from optical.errors import UserError
from optical.ot import TransportLoss, transport_loss

pytest.importorskip("numba")


def pairs(seed: int, batch: int = 40, width: int = 19, dim: int = 72, holes: bool = False) -> list[Tensor]:
    """Unit embeddings of both sides (batch, width, dim) and their masks, with holes in the middle where asked for."""
    random = torch.Generator().manual_seed(seed)
    sides = [normalize(torch.randn(batch, width, dim, generator=random), dim=-1) for _ in range(2)]
    lengths = torch.randint(1, width + 1, (2, batch, 1), generator=random)
    masks = torch.arange(width) < lengths
    if holes:
        masks[:, :, 1:] &= torch.rand(2, batch, width - 1, generator=random) > 0.3
    return [*sides, *masks]


def losses_and_gradients(batch: list[Tensor], backend: str, **options: object) -> tuple[TransportLoss, Tensor, Tensor]:
    source, target = (side.clone().requires_grad_() for side in batch[:2])
    loss = transport_loss(source, target, *batch[2:], backend=backend, **options)
    weights = torch.linspace(-1, 2, len(source), dtype=loss.value.dtype)
    (loss.value * weights).sum().backward()
    return loss, source.grad, target.grad


def in_double(batch: list[Tensor]) -> list[Tensor]:
    return [side.double() if side.is_floating_point() else side for side in batch]


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("dim", [8, 64, 128, 200])
def test_loss_and_gradients_are_those_of_double_precision(fresh_seed, dim, holes):
    batch = pairs(fresh_seed, dim=dim, holes=holes)
    options = {"epsilon": 0.1, "max_iterations": 5000}
    fused, by_source, by_target = losses_and_gradients(batch, "compiled", tolerance=1e-6, **options)
    exact, *gradients = losses_and_gradients(in_double(batch), "torch", tolerance=1e-11, **options)
    assert fused.converged.all()
    torch.testing.assert_close(fused.value.double(), exact.value, rtol=1e-5, atol=1e-7)
    for mine, reference in zip((by_source, by_target), gradients, strict=True):
        assert (mine - reference).norm() < 1e-5 * reference.norm()
    torch.testing.assert_close(fused.entropy.double(), exact.plan.entropy(), rtol=1e-4, atol=1e-4)


def test_half_precision_embeddings_lose_no_more_than_their_rounding(fresh_seed):
    batch = pairs(fresh_seed)
    rounded = [side.bfloat16() if side.is_floating_point() else side for side in batch]
    fused, by_source, _ = losses_and_gradients(rounded, "compiled", tolerance=1e-6, max_iterations=5000)
    exact, reference, _ = losses_and_gradients(in_double(rounded), "torch", tolerance=1e-11, max_iterations=5000)
    assert by_source.dtype == torch.bfloat16
    torch.testing.assert_close(fused.value.double(), exact.value, rtol=1e-5, atol=1e-7)
    assert (by_source.double() - reference).norm() < 3e-3 * reference.norm()


def test_padding_is_not_read_and_has_no_gradient():
    batch = pairs(1, holes=True)
    usual, *gradients = losses_and_gradients(batch, "compiled")
    spoilt = [side.masked_fill(~mask.unsqueeze(2), torch.nan) for side, mask in zip(batch[:2], batch[2:], strict=True)]
    again, *others = losses_and_gradients([*spoilt, *batch[2:]], "compiled")
    assert torch.equal(usual.value, again.value)
    for gradient, other, mask in zip(gradients, others, batch[2:], strict=True):
        assert torch.equal(gradient, other)
        assert not gradient[~mask].any()
        assert gradient[mask].abs().amax(1).min() > 0


def test_what_the_sweeps_leave_is_finished_by_newton_steps():
    batch = pairs(2, width=30)
    options = {"epsilon": 0.005, "max_iterations": 1000}
    without = options | {"acceleration": "overrelaxation", "max_iterations": 200}
    swept, *_ = losses_and_gradients(batch, "compiled", **without)
    assert not swept.converged.all()
    fused, by_source, by_target = losses_and_gradients(batch, "compiled", **options)
    assert fused.converged.all()
    exact, *gradients = losses_and_gradients(in_double(batch), "torch", tolerance=1e-9, **options)
    assert (fused.value - exact.value).abs().max() < 1e-5
    for mine, reference in zip((by_source, by_target), gradients, strict=True):
        assert (mine - reference).norm() < 1e-3 * reference.norm()


def test_the_plan_can_be_had_and_is_that_of_the_potentials():
    batch = pairs(3)
    loss, by_source, _ = losses_and_gradients(batch, "compiled")
    plan = loss.plan
    error = (plan.matrix.sum(2) - plan.problem.a).abs().sum(1) + (plan.matrix.sum(1) - plan.problem.b).abs().sum(1)
    torch.testing.assert_close(error, loss.marginal_error, rtol=0, atol=2e-6)
    torch.testing.assert_close(plan.transport_cost, loss.value.detach(), rtol=1e-5, atol=0)
    weights = torch.linspace(-1, 2, len(plan.matrix)).view(-1, 1, 1)
    torch.testing.assert_close(by_source, -weights * (plan.matrix @ batch[1]), rtol=0, atol=1e-6)


def test_a_frozen_teacher_gets_no_gradient_and_an_empty_pair_is_named():
    source, target, *masks = pairs(4)
    loss = transport_loss(source.requires_grad_(), target, *masks, backend="compiled")
    loss.value.sum().backward()
    assert target.grad is None
    masks[1][7] = False
    with pytest.raises(UserError, match="problem 7: its target side has no mass"):
        transport_loss(source, target, *masks, backend="compiled")


def test_a_second_backward_pass_gives_the_same_gradients():
    source, target, *masks = pairs(6)
    source.requires_grad_(), target.requires_grad_()
    loss = transport_loss(source, target, *masks, backend="compiled").value
    weights = torch.linspace(-1, 2, len(source))
    first, second = (
        torch.autograd.grad((loss * factor * weights).sum(), (source, target), retain_graph=True) for factor in (1, 3)
    )
    for once, thrice in zip(first, second, strict=True):
        torch.testing.assert_close(thrice, 3 * once)
        assert once.data_ptr() != thrice.data_ptr()


def test_embeddings_that_changed_before_the_backward_pass_are_noticed():
    source, target, *masks = pairs(7)
    loss = transport_loss(source.requires_grad_(), target, *masks, backend="compiled").value
    target.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.sum().backward()


def test_a_batch_of_nothing_is_no_error():
    loss, by_source, _ = losses_and_gradients([side[:0] for side in pairs(5)], "compiled")
    assert loss.value.shape == (0,)
    assert by_source.shape == (0, 19, 72)
