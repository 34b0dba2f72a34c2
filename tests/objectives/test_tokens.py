"""What holds for every objective over tokens: padding, special tokens, one token a side, shares, learning."""

import dataclasses

import pytest
import torch

from optical.errors import UserError
from optical.objectives import argmax, divergence, greedy, intersection, ot, pooled
from optical.objectives import sum as weighted_sum
from optical.objectives.base import ObjectiveConfig
from optical.tracking.journal import rows
from tests.objectives.by_hand import Lookup, batch, framed, loss_and_gradients, random_pairs, widened
from tests.train.ranks import losses, train

TIGHT = {"tolerance": 1e-6, "max_iterations": 2000}
CONFIGS = {
    "ot": ot.Config(**TIGHT),
    "pooled": pooled.Config(),
    "greedy": greedy.Config(),
    "argmax": argmax.Config(),
    "intersection": intersection.Config(temperature=0.2),
    "divergence": divergence.Config(**TIGHT),
    "divergence_to_scale": divergence.Config(epsilon_unit="mean_cost", **TIGHT),
    "sum": weighted_sum.Config(terms=("greedy", "0.3*pooled", "2*argmax")),
}
every = pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
of_tokens = pytest.mark.parametrize(
    "config",
    [config for name, config in CONFIGS.items() if name != "sum"],
    ids=[name for name in CONFIGS if name != "sum"],
)


@every
def test_padding_has_no_influence(config: ObjectiveConfig, fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    losses, *gradients = loss_and_gradients(config.build(None), table, pairs)
    assert losses.isfinite().all()
    for side, gradient in zip((pairs.source, pairs.target), gradients, strict=True):
        assert (gradient[~side.mask] == 0).all()
        assert gradient.isfinite().all()
        assert gradient[side.mask].abs().sum() > 0
    wider = dataclasses.replace(pairs, source=widened(pairs.source, 3, 5), target=widened(pairs.target, 2, 7))
    again, *more = loss_and_gradients(config.build(None), table, wider)
    torch.testing.assert_close(again, losses, atol=1e-6, rtol=1e-5)
    for side, gradient, padded in zip((wider.source, wider.target), gradients, more, strict=True):
        torch.testing.assert_close(padded[:, : gradient.shape[1]], gradient, atol=1e-6, rtol=1e-4)
        assert (padded[~side.mask] == 0).all()


@every
def test_what_stands_at_padding_changes_no_bit(config: ObjectiveConfig, fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    table = torch.cat([table, torch.full((1, table.shape[1]), torch.nan)])
    last = len(table) - 1
    other = dataclasses.replace(pairs, source=widened(pairs.source, 0, last), target=widened(pairs.target, 0, last))
    one, two = (loss_and_gradients(config.build(None), table, some) for some in (pairs, other))
    assert all(torch.equal(first, second) for first, second in zip(one, two, strict=True))


@every
def test_one_token_a_side_is_aligned_with_the_other(config: ObjectiveConfig):
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    losses, source, _ = loss_and_gradients(config.build(None), table, batch([[1], [1]], [[2], [1]]))
    factor = {"greedy": 2.0, "sum": 2.0 + 0.3 + 2.0}.get(config.name, 1.0)
    torch.testing.assert_close(losses, torch.tensor([0.4 * factor, 0.0]), atol=2e-6, rtol=0)
    assert source.isfinite().all()


@of_tokens
def test_special_tokens_take_part_only_where_they_are_kept(config: ObjectiveConfig, fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    long = framed(pairs.rows(slice(1, 2)))
    kept = dataclasses.replace(config, special_tokens="keep")
    dropped, source, _ = loss_and_gradients(config.build(None), table, long)
    assert (source[:, :2] == 0).all()
    inner = (dataclasses.replace(side, scored=side.inner) for side in (long.source, long.target))
    alone = dataclasses.replace(long, **dict(zip(("source", "target"), inner, strict=True)))
    torch.testing.assert_close(loss_and_gradients(kept.build(None), table, alone)[0], dropped)
    whole, source, _ = loss_and_gradients(kept.build(None), table, long)
    assert (whole - dropped).abs().item() > 1e-4
    assert source[:, :2].abs().sum() > 0
    assert "left out" in config.in_words()
    assert "taking part" in kept.in_words()


@of_tokens
def test_a_wrong_choice_of_tokens_is_refused(config: ObjectiveConfig, unchecked):
    with pytest.raises(UserError, match=r"^objective.special_tokens: is 'none'; choose from drop, keep"):
        dataclasses.replace(config, special_tokens="none")


@every
def test_shares_of_a_batch_sum_to_the_whole(config: ObjectiveConfig, fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    objective, lookup = config.build(None), Lookup(table)
    whole = objective(lookup, pairs)
    shares = [objective(lookup, pairs.rows(slice(rank, None, 2))) for rank in range(2)]
    torch.testing.assert_close(shares[0].loss + shares[1].loss, whole.loss, atol=1e-6, rtol=1e-5)
    for name, value in whole.observed.items():
        summed = shares[0].observed[name] + shares[1].observed[name]
        if "iterations" not in name and "marginal_error" not in name:
            torch.testing.assert_close(summed, value, atol=1e-4, rtol=1e-4)
    assert config.divisible


@every
def test_a_cached_target_stands_for_the_teacher(config: ObjectiveConfig, fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    objective, lookup = config.build(None), Lookup(table)
    whole = objective(lookup, pairs)
    cached = objective(lookup, dataclasses.replace(pairs, target_embeddings=table[pairs.target.ids]))
    assert torch.equal(cached.loss, whole.loss)


@pytest.mark.parametrize("name", ["greedy", "argmax", "intersection", "divergence", "sum"])
def test_a_student_learns_whole_and_in_parts(new_job, name):
    whole = dataclasses.replace(new_job(epochs=3), objective=CONFIGS[name])
    train(whole)
    assert losses(whole)[-1] < 0.8 * losses(whole)[0]
    steps = [row for row in rows(whole.journal) if row["event"] == "step"]
    assert all(row["plan_entropy"] > 0 for row in steps if name != "sum")
    parts = dataclasses.replace(new_job("parts", epochs=1, accumulate=3), objective=CONFIGS[name])
    train(parts)
    assert losses(parts)[0] == pytest.approx(losses(whole)[0], rel=1e-4)


@pytest.mark.parametrize("config", [config for name, config in CONFIGS.items() if name not in ("ot", "pooled", "sum")])
def test_a_pair_without_a_token_on_one_side_is_refused(config: ObjectiveConfig):
    pairs = framed(batch([[1, 2, 2], [1, 1, 0]], [[1, 2, 2], [1, 1, 2]]))
    table = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.6, 0.8]])
    with pytest.raises(UserError, match="source side has no .*; drop pairs with an empty side"):
        config.build(None).losses(Lookup(table), pairs)
