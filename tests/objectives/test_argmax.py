"""Argmax alignment: by hand, and against plain Python."""

import pytest
import torch

from optical.errors import UserError
from optical.objectives.argmax import Config
from tests.objectives.by_hand import Lookup, batch, loss_and_gradients, random_pairs

TABLE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6]])


def value(direction: str, source: list[int], target: list[int]) -> float:
    return Config(direction=direction).build(None).losses(Lookup(TABLE), batch([source], [target])).value.item()


def test_two_by_three_by_hand():
    # Distances of e1: (.8, .6) .2, (.6, .8) .4, e2 1; of e2: .4, .2, 0.
    source, target = [1, 2], [4, 3, 2]
    assert value("source", source, target) == pytest.approx((0.2 + 0.0) / 2, abs=1e-6)
    assert value("target", source, target) == pytest.approx((0.2 + 0.2 + 0.0) / 3, abs=1e-6)
    assert value("both", source, target) == pytest.approx((0.1 + 0.4 / 3) / 2, abs=1e-6)


def test_several_tokens_may_choose_the_same_one():
    objective = Config(direction="source").build(None)
    shown = objective.alignment(Lookup(TABLE), batch([[4, 3]], [[1, 0]]))
    assert shown.plan[0].tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_a_choice_of_both_sides_has_the_weight_of_both():
    # e1 and (.8, .6) choose each other; e2 chooses (.8, .6) alone.
    shown = Config().build(None).alignment(Lookup(TABLE), batch([[1, 2]], [[4, 0]]))
    torch.testing.assert_close(shown.plan[0], torch.tensor([[0.25 + 0.5, 0.0], [0.25, 0.0]]))


@pytest.mark.parametrize("direction", ["both", "source", "target"])
def test_random_batches_agree_with_plain_python(fresh_seed, direction):
    table, pairs = random_pairs(fresh_seed)
    found, source_gradient, _ = loss_and_gradients(Config(direction=direction).build(None), table, pairs)
    for pair, loss in enumerate(found.tolist()):
        source, target = (table[side.ids[pair][side.mask[pair]]].tolist() for side in (pairs.source, pairs.target))
        cost = [[1 - sum(x * y for x, y in zip(one, other, strict=True)) for other in target] for one in source]
        ways = {"source": [min(row) for row in cost], "target": [min(column) for column in zip(*cost, strict=True)]}
        chosen = ways.values() if direction == "both" else [ways[direction]]
        assert loss == pytest.approx(sum(sum(way) / len(way) for way in chosen) / len(chosen), abs=1e-6)
        gradient = [[0.0] * 8 for _ in source]
        if direction != "target":
            for i, row in enumerate(cost):
                share = 1 / len(source) / len(chosen) / len(found)
                gradient[i] = [g - share * t for g, t in zip(gradient[i], target[row.index(min(row))], strict=True)]
        if direction != "source":
            for j, column in enumerate(zip(*cost, strict=True)):
                i, share = column.index(min(column)), 1 / len(target) / len(chosen) / len(found)
                gradient[i] = [g - share * t for g, t in zip(gradient[i], target[j], strict=True)]
        torch.testing.assert_close(source_gradient[pair][: len(source)], torch.tensor(gradient), atol=1e-6, rtol=1e-4)


def test_an_unknown_direction_is_refused(unchecked):
    with pytest.raises(UserError, match=r"^objective.direction: is 'forth'; choose from both, source, target"):
        Config(direction="forth")
