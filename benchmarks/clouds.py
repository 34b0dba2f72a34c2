"""Synthetic sentence pairs whose transport problems are as hard as those of real token embeddings."""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from optical.ot.problem import Problem

_ANISOTROPY = 0.5
_NOISE = 0.75
_ALIGNED = 0.7


def clouds(batch: int, length: int, dim: int = 128, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Unit embeddings of both sides (batch, length, dim), and their masks (batch, length).

    Embeddings lean to one common direction, as contextual ones do; 70 % of the source tokens are noisy copies of a
    target token, the rest have no counterpart. Lengths are uniform from 4 to ``length``, the two sides' within a third
    of each other: half of the tokens, and two thirds of the cells, are padding.
    """
    generator = torch.Generator().manual_seed(seed)
    random = np.random.default_rng(seed)
    source_lengths = random.integers(4, length + 1, batch)
    target_lengths = np.clip(np.round(source_lengths * random.uniform(0.75, 1.33, batch)), 2, length).astype(int)

    def directions(*shape: int) -> Tensor:
        return normalize(torch.randn(*shape, dim, generator=generator), dim=-1)

    common, target, source = directions(1, 1), directions(batch, length), directions(batch, length)
    for pair, (n, m) in enumerate(zip(source_lengths, target_lengths, strict=True)):
        copies = torch.randperm(int(n), generator=generator)[: int(_ALIGNED * n)]
        originals = torch.randint(0, int(m), (len(copies),), generator=generator)
        source[pair, copies] = normalize(target[pair, originals] + _NOISE * directions(len(copies)), dim=-1)
    source, target = (normalize(side + _ANISOTROPY * common, dim=-1) for side in (source, target))
    masks = [torch.arange(length) < torch.tensor(lengths).unsqueeze(1) for lengths in (source_lengths, target_lengths)]
    return source, target, *masks


def cosine_problem(source: Tensor, target: Tensor, source_mask: Tensor, target_mask: Tensor) -> Problem:
    """The transport problem of such pairs: cosine cost, uniform marginals."""
    a, b = (mask.to(source.dtype) / mask.sum(1, keepdim=True) for mask in (source_mask, target_mask))
    return Problem(1 - source @ target.transpose(1, 2), a, b)
