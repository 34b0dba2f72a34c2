"""Shared by the tests of transport: fresh seeds that can be repeated, and two kinds of random problems."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from optical.ot.problem import Problem


@pytest.fixture(scope="session")
def ragged() -> Callable[..., Problem]:
    """Builds problems of random costs in [0, 2], random masses and random lengths from one to ``width``.

    With ``holes``, masses are zero in the middle of a row too, and padding costs are NaN.
    """

    def build(
        seed: int, batch: int = 4, width: int = 7, dtype: torch.dtype = torch.float64, holes: bool = False
    ) -> Problem:
        generator = torch.Generator().manual_seed(seed)

        def masses() -> torch.Tensor:
            lengths = torch.randint(1, width + 1, (batch, 1), generator=generator)
            mass = torch.rand(batch, width, generator=generator, dtype=dtype) + 0.2
            mass = mass * (torch.arange(width) < lengths)
            if holes:
                mass[:, 1:] *= torch.rand(batch, width - 1, generator=generator) > 0.3
            return mass / mass.sum(1, keepdim=True)

        cost = 2 * torch.rand(batch, width, width, generator=generator, dtype=dtype)
        problem = Problem(cost, masses(), masses())
        return Problem(cost.masked_fill(~problem.real, torch.nan), problem.a, problem.b) if holes else problem

    return build


@pytest.fixture(scope="session")
def clouds() -> Callable[..., Problem]:
    """Builds problems like those of bitext: cosine costs, uniform masses, most source tokens near a target token."""

    def build(seed: int, batch: int = 64, width: int = 32, dtype: torch.dtype = torch.float32) -> Problem:
        generator = torch.Generator().manual_seed(seed)

        def units(*shape: int) -> torch.Tensor:
            return normalize(torch.randn(*shape, 128, generator=generator, dtype=dtype), dim=-1)

        target, noise, common = units(batch, width), units(batch, width), units(1, 1)
        n = torch.randint(4, width + 1, (batch, 1), generator=generator)
        m = (n * (0.75 + 0.58 * torch.rand(batch, 1, generator=generator))).round().long().clamp(2, width)
        partner = (torch.rand(batch, width, generator=generator) * m).long().unsqueeze(2).expand_as(target)
        aligned = (torch.rand(batch, width, 1, generator=generator) < 0.7).to(dtype)
        source = aligned * target.gather(1, partner) + (1 - 0.25 * aligned) * noise
        source, target = (normalize(normalize(side, dim=-1) + 0.5 * common, dim=-1) for side in (source, target))
        a, b = ((torch.arange(width) < length).to(dtype) / length for length in (n, m))
        return Problem(1 - source @ target.transpose(1, 2), a, b)

    return build


class Single(NamedTuple):
    """One problem without its padding, for POT; ``cells`` picks its part of a batch's plan."""

    a: np.ndarray
    b: np.ndarray
    cost: np.ndarray
    cells: tuple[int, torch.Tensor, torch.Tensor]


@pytest.fixture(scope="session")
def singles() -> Callable[[Problem], list[Single]]:
    """Takes a batch apart into its problems."""

    def take_apart(problem: Problem) -> list[Single]:
        parts = []
        for row, (a, b) in enumerate(zip(problem.a.double(), problem.b.double(), strict=True)):
            i, j = a.nonzero(), b.nonzero().squeeze(1)
            cost = problem.cost[row, i, j].double()
            parts.append(Single(a[i[:, 0]].numpy(), b[j].numpy(), cost.numpy(), (row, i, j)))
        return parts

    return take_apart
