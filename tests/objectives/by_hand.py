"""Batches whose embeddings are the rows of a table, and an encoder that looks them up."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import normalize, pad

from optical.data.batches.batch import PairBatch
from optical.model.text.padding import TokenBatch
from optical.objectives.base import Objective
from tests.readers import tokens_of


class Lookup:
    """An encoder whose embedding of a token is its row in the table; it counts its calls."""

    def __init__(self, table: Tensor) -> None:
        self.table = table
        self.calls = 0

    def __call__(self, ids: Tensor, mask: Tensor) -> Tensor:
        self.calls += 1
        return self.table[ids]


def batch(source: Sequence[Sequence[int]], target: Sequence[Sequence[int]]) -> PairBatch:
    """Pairs of sentences of ids; 0 is padding."""
    sides = (tokens_of(torch.tensor(side)) for side in (source, target))
    return PairBatch(0, len(source), *sides, torch.ones(len(source)))


def unit_table(rows: int, dim: int, seed: int) -> Tensor:
    """Random vectors of length one."""
    return normalize(torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed)), dim=1)


def random_pairs(seed: int, pairs: int = 6, longest: int = 7) -> tuple[Tensor, PairBatch]:
    """A table, and sentences of 1 to ``longest`` tokens, each a row of its own; the first pair has one token a side."""
    generator = torch.Generator().manual_seed(seed)
    sides = []
    for side in range(2):
        lengths = torch.randint(1, longest + 1, (pairs,), generator=generator)
        lengths[0], lengths[1] = 1, longest
        ids = torch.arange(1, pairs * longest + 1).view(pairs, longest) + side * pairs * longest
        sides.append((ids * (torch.arange(longest) < lengths.unsqueeze(1))).tolist())
    return unit_table(2 * pairs * longest + 1, 8, seed), batch(*sides)


def framed(pairs: PairBatch) -> PairBatch:
    """The first two tokens of each side score, and are no tokens of the text."""
    place = torch.arange(pairs.source.ids.shape[1]), torch.arange(pairs.target.ids.shape[1])
    sides = [
        replace(side, inner=side.inner & (where >= 2))
        for side, where in zip((pairs.source, pairs.target), place, strict=True)
    ]
    return replace(pairs, source=sides[0], target=sides[1])


def widened(tokens: TokenBatch, more: int, filler: int) -> TokenBatch:
    """The same sentences with ``more`` tokens of padding, whose id is ``filler``."""
    ids = pad(tokens.ids.masked_fill(~tokens.mask, filler), (0, more), value=filler)
    return TokenBatch(ids, *(pad(mask, (0, more)) for mask in (tokens.mask, tokens.scored, tokens.inner)))


def loss_and_gradients(objective: Objective, table: Tensor, pairs: PairBatch) -> tuple[Tensor, Tensor, Tensor]:
    """The loss of each pair, and the gradients of its mean in the embeddings of the source and of the target."""
    sides = [table[side.ids].clone().requires_grad_(True) for side in (pairs.source, pairs.target)]

    def encoder(ids: Tensor, mask: Tensor) -> Tensor:
        return sides[0] if ids is pairs.source.ids else sides[1]

    losses = objective.losses(encoder, pairs).value
    losses.mean().backward()
    return losses.detach(), sides[0].grad, sides[1].grad
