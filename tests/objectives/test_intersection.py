"""Softmax intersection: by hand, against plain Python, and where nothing is aligned."""

import math

import pytest
import torch

from optical.errors import UserError
from optical.objectives.intersection import Config
from tests.objectives.by_hand import Lookup, batch, loss_and_gradients, random_pairs

TABLE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])


def reference(cost: list[list[float]], temperature: float, threshold: float) -> list[list[float]]:
    """Products of both softmaxes where both exceed the threshold, normalised."""
    scores = [[math.exp(-value / temperature) for value in row] for row in cost]
    columns = [sum(row[j] for row in scores) for j in range(len(cost[0]))]
    weights = [[0.0] * len(columns) for _ in cost]
    for i, row in enumerate(scores):
        for j, score in enumerate(row):
            of_source, of_target = score / sum(row), score / columns[j]
            if of_source > threshold and of_target > threshold:
                weights[i][j] = of_source * of_target
    total = sum(map(sum, weights))
    return [[weight / total if total else 0.0 for weight in row] for row in weights]


def test_two_by_two_by_hand():
    # Cosines: e1 with e1 1, with e2 0; e2 likewise. Both softmaxes give p = 1 / (1 + e^-2) and 1 - p.
    objective = Config(temperature=0.5, threshold=0.2).build(None)
    p = 1 / (1 + math.exp(-2))
    assert 1 - p < 0.2 < p
    pairs = batch([[1, 2]], [[1, 2]])
    assert objective.losses(Lookup(TABLE), pairs).value.item() == pytest.approx(0.0, abs=1e-7)
    loose = Config(temperature=0.5, threshold=0.1).build(None)
    kept = p**2 + (1 - p) ** 2
    assert loose.losses(Lookup(TABLE), pairs).value.item() == pytest.approx((1 - p) ** 2 / kept, abs=1e-6)
    shown = loose.alignment(Lookup(TABLE), pairs).plan[0]
    torch.testing.assert_close(shown.diagonal(), torch.full((2,), p**2 / kept / 2), atol=1e-6, rtol=0)


def test_one_direction_alone_aligns_nothing():
    # All sources are the target's equals: each source is sure of it, and it has a third for each of them.
    pairs = batch([[1, 1, 1], [3, 0, 0]], [[1], [3]])
    found = Config(threshold=0.4).build(None).losses(Lookup(TABLE), pairs)
    assert found.observed["unaligned"].tolist() == [True, False]
    assert found.value.tolist() == pytest.approx([0.0, 0.0], abs=1e-6)
    assert Config(threshold=0.3).build(None).losses(Lookup(TABLE), pairs).observed["unaligned"].tolist() == [False] * 2


def test_a_pair_in_which_nothing_is_aligned_has_no_loss_and_no_gradient():
    losses, source, target = loss_and_gradients(Config(threshold=0.9).build(None), TABLE, batch([[1, 1]], [[3, 3]]))
    assert losses.tolist() == [0.0]
    assert (source == 0).all() and (target == 0).all()
    found = Config(threshold=0.9).build(None)(Lookup(TABLE), batch([[1, 1], [2, 0]], [[3, 3], [2, 0]]))
    assert found.observed["unaligned"].item() == 0.5


def test_below_one_over_the_longer_length_something_is_always_aligned(fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    found = Config(temperature=10.0, threshold=0.99 / 7).build(None).losses(Lookup(table), pairs)
    assert not found.observed["unaligned"].any()


@pytest.mark.parametrize(("temperature", "threshold"), [(0.05, 0.001), (0.3, 0.1), (1.0, 0.0), (1e-4, 0.001)])
def test_random_batches_agree_with_plain_python(fresh_seed, temperature, threshold):
    table, pairs = random_pairs(fresh_seed)
    objective = Config(temperature=temperature, threshold=threshold).build(None)
    losses, source_gradient, _ = loss_and_gradients(objective, table, pairs)
    for pair, loss in enumerate(losses.tolist()):
        source, target = (table[side.ids[pair][side.mask[pair]]] for side in (pairs.source, pairs.target))
        cost = 1 - source.double() @ target.double().T
        shifted = (cost - cost.min()).tolist() if temperature > 0.001 else None
        if shifted is None:
            assert math.isfinite(loss)
            continue
        weights = torch.tensor(reference(shifted, temperature, threshold)).double()
        assert loss == pytest.approx((weights * cost).sum().item(), abs=1e-5)
        expected = -(weights @ target.double()) / len(losses)
        torch.testing.assert_close(source_gradient[pair][: len(source)].double(), expected, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.0),
        ("temperature", math.inf),
        ("temperature", math.nan),
        ("threshold", -0.1),
        ("threshold", 1.0),
    ],
)
def test_an_impossible_setting_is_refused(field, value):
    with pytest.raises(UserError, match=f"^objective.{field}: is {value}"):
        Config(**{field: value})
