"""The Sinkhorn divergence as an objective: against POT, at equal clouds, and its gradient."""

import ot as pot
import pytest
import torch
from scipy.special import xlogy

from optical.objectives.divergence import Config
from tests.objectives.by_hand import Lookup, batch, loss_and_gradients, random_pairs, unit_table

TIGHT = {"tolerance": 1e-6, "max_iterations": 5000}


def sides_of(table, pairs, pair):
    return [table[side.ids[pair][side.mask[pair]]].double() for side in (pairs.source, pairs.target)]


def regularised(one: torch.Tensor, other: torch.Tensor, epsilon: float) -> float:
    """<P, C> + epsilon KL(P | a b^T) of POT's plan for the cosine cost and uniform masses."""
    cost = (1 - one @ other.T).numpy()
    masses = [pot.unif(len(side)) for side in (one, other)]
    plan = pot.bregman.sinkhorn(
        *masses, cost, epsilon, method="sinkhorn_log", stopThr=1e-9, numItermax=9000, warn=False
    )
    product = masses[0][:, None] * masses[1][None]
    return float((plan * cost).sum() + epsilon * xlogy(plan, plan / product).sum())


@pytest.mark.parametrize("unit", ["cost", "mean_cost"])
@pytest.mark.parametrize("epsilon", [0.2, 0.5])
def test_it_is_the_divergence_of_plans_of_pot(fresh_seed, epsilon, unit):
    table, pairs = random_pairs(fresh_seed, pairs=3, longest=5)
    config = Config(epsilon=epsilon, epsilon_unit=unit, **TIGHT)
    found = config.build(None).losses(Lookup(table), pairs)
    assert not found.observed["unconverged"].any()
    for pair, value in enumerate(found.value.tolist()):
        x, y = sides_of(table, pairs, pair)
        absolute = epsilon * ((1 - x @ y.T).mean().item() if unit == "mean_cost" else 1)
        between, *within = (regularised(one, other, absolute) for one, other in ((x, y), (x, x), (y, y)))
        assert value == pytest.approx(between - sum(within) / 2, abs=2e-5)


def test_without_the_kl_terms_it_is_what_pot_calls_the_divergence(fresh_seed):
    """POT's ``empirical_sinkhorn_divergence`` takes <P, C> of each plan; |x - y|^2 / 2 is the cosine distance."""
    table, pairs = random_pairs(fresh_seed, pairs=3, longest=5)
    found = Config(epsilon=0.2, **TIGHT).build(None).divergence(Lookup(table), pairs)
    terms = (found.between, found.within_source, found.within_target)
    between, *within = (term.plan.transport_cost for term in terms)
    for pair, value in enumerate((between - sum(within) / 2).tolist()):
        x, y = (side.numpy() for side in sides_of(table, pairs, pair))
        options = {"stopThr": 1e-9, "numIterMax": 9000, "warn": False}
        theirs = pot.bregman.empirical_sinkhorn_divergence(x, y, reg=0.4, metric="sqeuclidean", **options) / 2
        assert max(value, 0.0) == pytest.approx(float(theirs), abs=2e-5)


def test_the_same_sentence_has_no_divergence_and_no_gradient():
    table = unit_table(8, 6, 3)
    losses, source, target = loss_and_gradients(Config(**TIGHT).build(None), table, batch([[1, 2, 3]], [[3, 1, 2]]))
    assert losses.item() == pytest.approx(0.0, abs=1e-5)
    assert source.abs().max() < 1e-4
    assert target.abs().max() < 1e-4


def test_two_by_one_by_hand():
    # One target e1, sources e1 and e2: OT(x, y) is the mean distance 1/2. OT(y, y) = 0. OT(x, x): the plan has p / 2 on
    # the diagonal and (1 - p) / 2 beside it with p = 1 / (1 + e^-1) at epsilon 1, so its value is
    # (1 - p) + [p log 2p + (1 - p) log 2(1 - p)].
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    p = torch.tensor(1.0).sigmoid()
    own = (1 - p) + p * (2 * p).log() + (1 - p) * (2 * (1 - p)).log()
    found = Config(epsilon=1.0, **TIGHT).build(None).losses(Lookup(table), batch([[1, 2]], [[1, 0]]))
    assert found.value.item() == pytest.approx(0.5 - own.item() / 2, abs=1e-5)


@pytest.mark.parametrize("unit", ["cost", "mean_cost"])
def test_the_gradient_counts_both_terms_that_hold_the_student(fresh_seed, unit):
    table, pairs = random_pairs(fresh_seed, pairs=2, longest=4)
    pairs = pairs.rows(slice(1, 2))
    objective = Config(epsilon=0.3, epsilon_unit=unit, **TIGHT).build(None)
    _, gradient, _ = loss_and_gradients(objective, table, pairs)
    found = objective.divergence(Lookup(table), pairs)
    target, source = table[pairs.target.ids[0]], table[pairs.source.ids[0]]
    between, within = found.between.plan.matrix[0], found.within_source.plan.matrix[0]
    expected = -between @ target + (within + within.T) @ source / 2
    torch.testing.assert_close(gradient[0], expected, atol=1e-5, rtol=1e-4)


def test_the_alignment_is_the_plan_between_the_sentences(fresh_seed):
    table, pairs = random_pairs(fresh_seed, pairs=3, longest=5)
    objective = Config(**TIGHT).build(None)
    shown = objective.alignment(Lookup(table), pairs)
    torch.testing.assert_close(shown.plan.sum(2), shown.source_mass, atol=1e-5, rtol=0)
    assert all(caption.startswith("divergence ") and caption.endswith(", converged") for caption in shown.captions)


def test_problems_that_did_not_converge_are_counted():
    # A fixed seed: a pair with one token on a side converges at once.
    table, pairs = random_pairs(1, pairs=3, longest=5)
    loose = Config(epsilon=0.01, tolerance=1e-7, max_iterations=1).build(None)
    assert loose(Lookup(table), pairs).observed["unconverged"].item() > 0.5
