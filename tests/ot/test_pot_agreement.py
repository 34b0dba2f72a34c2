"""Agreement with POT, the field's own solver, problem by problem without padding."""

import ot
import pytest
import torch

from optical.ot.problem import Plan, Problem
from optical.ot.sinkhorn import sinkhorn

CASES = [(seed, epsilon) for seed in range(2) for epsilon in (0.1, 0.3, 1.0)]


def solved(seed: int, epsilon: float) -> tuple[Problem, Plan, list[tuple[int, int]]]:
    """Six ragged problems between unit embeddings, solved as one padded batch."""
    random = torch.Generator().manual_seed(seed)
    sizes = torch.randint(1, 9, (6, 2), generator=random).tolist()
    source, target = (
        torch.nn.functional.normalize(torch.randn(6, 8, 5, generator=random, dtype=torch.float64), dim=-1)
        for _ in range(2)
    )
    a, b = torch.zeros(2, 6, 8, dtype=torch.float64)
    for row, (n, m) in enumerate(sizes):
        a[row, :n] = 1 / n
        mass = torch.rand(m, generator=random, dtype=torch.float64) + 0.5
        b[row, :m] = mass / mass.sum()
    problem = Problem(1 - source @ target.transpose(1, 2), a, b)
    return problem, sinkhorn(problem, epsilon, 1e-12, 5000), sizes


@pytest.mark.parametrize(("seed", "epsilon"), CASES)
def test_plans_and_potentials_agree_with_pot(seed, epsilon):
    problem, plan, sizes = solved(seed, epsilon)
    for row, (n, m) in enumerate(sizes):
        a, b, cost = (part.numpy() for part in (problem.a[row, :n], problem.b[row, :m], problem.cost[row, :n, :m]))
        theirs, log = ot.bregman.sinkhorn(
            a, b, cost, epsilon, method="sinkhorn_log", stopThr=1e-12, numItermax=5000, log=True
        )
        assert abs(plan.matrix[row, :n, :m].numpy() - theirs).sum() < 1e-8
        # Potentials are unique up to one constant moved from f to g.
        for ours, u in ((plan.f[row, :n].numpy(), log["log_u"]), (plan.g[row, :m].numpy(), log["log_v"])):
            difference = ours - epsilon * u
            assert abs(difference - difference.mean()).max() < 1e-7
