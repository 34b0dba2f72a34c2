"""Optimal-transport distillation as an objective: what is aligned, how pairs are weighted, who learns."""

import dataclasses

import pytest
import torch

from optical.data.batches.batch import PairBatch
from optical.model.encoder import Encoder
from optical.model.scratch import scratch_encoder
from optical.model.text.padding import pad
from optical.objectives.ot import Config as OTConfig
from optical.objectives.ot import TransportDistillation
from optical.ot.loss import transport_loss
from tests.readers import FRAME, ids_of


@pytest.fixture
def student(tiny, tokenizer) -> Encoder:
    return scratch_encoder(tiny, tokenizer, seed=1)


@pytest.fixture
def batch(bitext, tokenizer) -> PairBatch:
    sides = [pad(ids_of(tokenizer, [pair[side] for pair in bitext[:6]]), FRAME) for side in (0, 1)]
    return PairBatch(0, 6, *sides, torch.ones(6))


def test_the_loss_is_the_mean_transport_loss_of_the_inner_tokens(encoder, student, batch):
    outcome = TransportDistillation(encoder, OTConfig())(student, batch)
    with torch.no_grad():
        source = student(batch.source.ids, batch.source.mask)
        target = encoder(batch.target.ids, batch.target.mask)
        masks = batch.source.inner, batch.target.inner
        config = OTConfig()
        options = {"tolerance": config.tolerance, "max_iterations": config.max_iterations}
        inner = transport_loss(source, target, *masks, **options)
        whole = transport_loss(source, target, batch.source.mask, batch.target.mask, **options)
    torch.testing.assert_close(outcome.loss.detach(), inner.value.mean())
    assert outcome.observed["marginal_error"].item() == pytest.approx(inner.plan.marginal_error.mean().item())
    assert outcome.observed["plan_entropy"].item() == pytest.approx(inner.plan.entropy().mean().item(), rel=1e-4)
    assert outcome.observed["unconverged"].item() == 0
    kept = TransportDistillation(encoder, OTConfig(special_tokens="keep"))(student, batch)
    torch.testing.assert_close(kept.loss.detach(), whole.value.mean())


def test_embeddings_that_come_with_the_batch_stand_for_the_teacher(encoder, student, batch, monkeypatch):
    objective = TransportDistillation(encoder, OTConfig())
    without = objective(student, batch)
    with torch.no_grad():
        cached = dataclasses.replace(batch, target_embeddings=encoder(batch.target.ids, batch.target.mask))
    monkeypatch.setattr(encoder, "forward", lambda *_: pytest.fail("the teacher was asked"))
    assert torch.equal(objective(student, cached).loss, without.loss)
    half = dataclasses.replace(cached, target_embeddings=cached.target_embeddings.half())
    assert objective(student, half).loss.item() == pytest.approx(without.loss.item(), rel=1e-3)


def test_only_the_student_learns(encoder, student, batch):
    TransportDistillation(encoder, OTConfig())(student, batch).loss.backward()
    assert all(parameter.grad is None and not parameter.requires_grad for parameter in encoder.parameters())
    assert student.head[0].linear.weight.grad.abs().sum() > 0


def test_a_pair_of_no_weight_gives_no_loss_and_no_gradient(encoder, student, batch):
    objective = TransportDistillation(encoder, OTConfig())
    outcome = objective(student, dataclasses.replace(batch, weight=torch.zeros(6)))
    outcome.loss.backward()
    assert outcome.loss.item() == 0
    assert {value.item() for value in outcome.observed.values()} == {0}
    assert all((p.grad == 0).all() for p in student.parameters() if p.grad is not None)


@pytest.mark.parametrize("unit", ["cost", "mean_cost"])
def test_shares_sum_to_the_global_mean(encoder, student, batch, unit):
    config = OTConfig(tolerance=1e-6, max_iterations=1000, epsilon_unit=unit)
    objective = TransportDistillation(encoder, config)
    whole = objective(student, batch)
    shares = []
    for rank in range(2):
        shares.append(objective(student, batch.rows(slice(rank, None, 2))))
    torch.testing.assert_close(shares[0].loss + shares[1].loss, whole.loss)


def test_a_plan_that_did_not_converge_is_counted(encoder, student, batch):
    config = OTConfig(epsilon=0.01, tolerance=1e-7, max_iterations=1)
    assert TransportDistillation(encoder, config)(student, batch).observed["unconverged"].item() > 0.5


def test_a_relative_epsilon_is_that_share_of_each_pairs_own_mean_cost(encoder, student, batch):
    config = OTConfig(epsilon=0.05, epsilon_unit="mean_cost", tolerance=1e-6, max_iterations=1000)
    objective = TransportDistillation(encoder, config)
    together = objective.losses(student, batch).value
    for pair in range(batch.num_pairs):
        alone = batch.rows(slice(pair, pair + 1))
        torch.testing.assert_close(objective.losses(student, alone).value[0], together[pair])
        mean = TransportDistillation(encoder, dataclasses.replace(config, epsilon=1e6)).losses(student, alone).value
        absolute = dataclasses.replace(config, epsilon=0.05 * mean.item(), epsilon_unit="cost")
        expected = TransportDistillation(encoder, absolute).losses(student, alone).value[0]
        torch.testing.assert_close(together[pair], expected, atol=1e-5, rtol=1e-4)


def test_the_unit_is_idle_for_the_exact_method_alone():
    assert "epsilon_unit" in OTConfig(method="exact").idle()
    assert "epsilon_unit" not in OTConfig().idle()
