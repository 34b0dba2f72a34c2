"""Rows of all ranks of a data-parallel training on every rank, with gradients."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable


def gathered(rows: Tensor, fill: int = 0) -> tuple[Tensor, int]:
    """The rows of all ranks, rank after rank, and the place of this rank's first row among them.

    Without data-parallel training these are the rows themselves, and 0. Gradients of the result flow back to the rank
    that a row comes from, summed over the ranks. Ranks may have different numbers of rows; rows of several dimensions
    may differ in the second one (the tokens) too, and are padded to the longest. Every rank has to call this equally
    often.

    Args:
        rows: (rows,) or (rows, tokens, ...), equal over ranks in type and in dimensions after the second.
        fill: the value of padding.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return rows, 0
    shapes = _shapes(rows)
    counts = [shape[0] for shape in shapes]
    everyones = _AllGather.apply(padded_to(rows, [max(sizes) for sizes in zip(*shapes, strict=True)], fill))
    everything = torch.cat([part[:count] for part, count in zip(everyones, counts, strict=True)])
    return everything, sum(counts[: dist.get_rank()])


def padded_to(rows: Tensor, sizes: Sequence[int], fill: int = 0) -> Tensor:
    """``rows`` with its first dimensions padded at their ends to ``sizes``, contiguous.

    >>> padded_to(torch.ones(1, 2), [2, 3], -1)
    tensor([[ 1.,  1., -1.],
            [-1., -1., -1.]])
    """
    missing = [size - have for size, have in zip(sizes, rows.shape, strict=False)]
    untouched = [0, 0] * (rows.ndim - len(missing))
    padding = [amount for lack in reversed(missing) for amount in (0, lack)]
    return torch.nn.functional.pad(rows, untouched + padding, value=fill).contiguous()


def _shapes(rows: Tensor) -> list[list[int]]:
    """The first two sizes of every rank's rows, or the first where they have one dimension."""
    mine = torch.tensor(rows.shape[:2], device=rows.device)
    everyones = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(everyones, mine)
    return [shape.tolist() for shape in everyones]


class _AllGather(torch.autograd.Function):
    """(rows, ...) of equal shape on every rank to (ranks, rows, ...). torch's own with gradients is deprecated."""

    @staticmethod
    def forward(ctx: FunctionCtx, rows: Tensor) -> Tensor:
        """Gather."""
        everyones = rows.new_empty((dist.get_world_size(), *rows.shape))
        dist.all_gather(list(everyones), rows)
        return everyones

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        """The sum over ranks of the gradients of this rank's rows."""
        summed = gradient.clone(memory_format=torch.contiguous_format)
        dist.all_reduce(summed)
        return summed[dist.get_rank()]
