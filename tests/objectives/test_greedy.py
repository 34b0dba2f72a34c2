"""Greedy alignment: by hand, and against repeated argmin in plain Python."""

import pytest
import torch

from optical.objectives.greedy import Config, greedy_alignment
from tests.objectives.by_hand import Lookup, batch, random_pairs

# Rows are unit vectors of the plane.
TABLE = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.6, 0.8], [0.8, 0.6]])


def reference(cost: list[list[float]]) -> set[tuple[int, int]]:
    """Repeated argmin: the smallest cell of the unused rows and columns, the first of equal ones."""
    rows, columns, found = set(range(len(cost))), set(range(len(cost[0]))), set()
    while rows and columns:
        _, i, j = min((cost[i][j], i, j) for i in rows for j in columns)
        found.add((i, j))
        rows.remove(i)
        columns.remove(j)
    return found


def cells_of(aligned: torch.Tensor) -> set[tuple[int, int]]:
    return set(map(tuple, aligned.nonzero().tolist()))


def test_two_by_three_by_hand():
    # Sources e1 and (.6, .8); targets e2, (.8, .6) and -e1 would be far. Distances:
    #   e1       : e2 1,   (.8, .6) .2,  (.6, .8) .4
    #   (.8, .6) : e2 .4,  (.8, .6) 0,   (.6, .8) .04
    # First (.8, .6) with itself (0); then e1 with the nearest that is left, (.6, .8), at .4.
    objective = Config().build(None)
    pairs = batch([[1, 4]], [[2, 4, 3]])
    found = objective.losses(Lookup(TABLE), pairs)
    squared = (TABLE[1] - TABLE[3]).square().sum().item()
    assert squared == pytest.approx(0.8)
    assert found.value.item() == pytest.approx((0.0 + squared) / 2, abs=1e-6)
    shown = objective.alignment(Lookup(TABLE), pairs)
    assert shown.plan[0].tolist() == [[0.0, 0.0, 0.5], [0.0, 0.5, 0.0]]
    assert shown.source_mass.tolist() == [[0.5, 0.5]]
    assert shown.captions == ("2 aligned cells, mean cosine distance 0.200",)


def test_a_longer_source_leaves_tokens_unaligned():
    objective = Config().build(None)
    found = objective.alignment(Lookup(TABLE), batch([[1, 4, 3]], [[4, 0, 0]]))
    assert found.plan[0].tolist() == [[0.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    # A picture has no square above 100 %.
    assert found.source_mass.tolist() == [[1.0, 1.0, 1.0]]
    assert not found.is_transport


def test_the_gradient_pulls_along_the_alignment_that_is_constant():
    source = TABLE[[1, 4]].clone().requires_grad_(True)
    pairs = batch([[1, 4]], [[2, 4]])
    objective = Config().build(None)
    objective.losses(lambda ids, mask: source[None] if ids is pairs.source.ids else TABLE[ids], pairs).value.backward()
    # (.8, .6) is aligned with itself, e1 with e2: -2 t / 2 each.
    torch.testing.assert_close(source.grad, -TABLE[[2, 4]])


@pytest.mark.parametrize("ties", [False, True])
def test_random_batches_agree_with_repeated_argmin(fresh_seed, ties):
    generator = torch.Generator().manual_seed(fresh_seed)
    for n, m in ((1, 1), (1, 6), (5, 1), (4, 4), (7, 5), (6, 9)):
        cost = torch.rand(8, n, m, generator=generator)
        if ties:
            cost = (3 * cost).round()
        rows, columns = (torch.rand(8, size, generator=generator) < 0.7 for size in (n, m))
        rows[:, 0], columns[:, -1] = True, True
        found = greedy_alignment(cost, rows.unsqueeze(2) & columns.unsqueeze(1))
        for pair in range(8):
            kept = cost[pair][rows[pair]][:, columns[pair]]
            assert cells_of(found[pair][rows[pair]][:, columns[pair]]) == reference(kept.tolist())
            assert found[pair].sum() == min(rows[pair].sum(), columns[pair].sum())


def test_the_loss_is_the_mean_squared_distance_of_the_aligned_vectors(fresh_seed):
    table, pairs = random_pairs(fresh_seed)
    found = Config().build(None).losses(Lookup(table), pairs).value
    for pair, value in enumerate(found.tolist()):
        source, target = (table[side.ids[pair][side.mask[pair]]] for side in (pairs.source, pairs.target))
        aligned = reference((1 - source @ target.T).tolist())
        squared = [(source[i] - target[j]).square().sum().item() for i, j in aligned]
        assert value == pytest.approx(sum(squared) / len(squared), abs=1e-5)
