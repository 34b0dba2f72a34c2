"""Chunks of problems of similar size, so that little padding is computed."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from optical.ot.problem import Problem

CELLS = 2**18
"""Cells of a chunk that fit into a processor's cache."""


def chunks(problem: Problem, cells: int = CELLS) -> list[tuple[Int[Tensor, " chunk"], int, int]]:
    """The batch in chunks, the largest problems first: positions in the batch, and the longest source and target.

    Tokens at and beyond these lengths are padding in the whole chunk. On a GPU, which needs much parallel work, the
    whole batch is one chunk.
    """
    n, m = _lengths(problem.a), _lengths(problem.b)
    edges, order = torch.maximum(n, m).sort(descending=True, stable=True)
    pieces = [order] if n.is_cuda and len(order) else _pieces(edges.tolist(), order, cells)
    return [(index, int(n[index].amax()), int(m[index].amax())) for index in pieces]


def _pieces(edges: list[int], order: Int[Tensor, " batch"], cells: int) -> list[Int[Tensor, " chunk"]]:
    pieces, first = [], 0
    while first < len(edges):
        size = max(1, cells // edges[first] ** 2)
        pieces.append(order[first : first + size])
        first += size
    return pieces


def _lengths(masses: Float[Tensor, "batch tokens"]) -> Int[Tensor, " batch"]:
    """Length of each row up to and including its last real token."""
    if not masses.shape[1]:
        return masses.new_zeros(len(masses), dtype=torch.int64)
    return ((masses > 0) * torch.arange(1, masses.shape[1] + 1, device=masses.device)).amax(1)
