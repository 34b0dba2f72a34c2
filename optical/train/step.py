"""One update: batch in, loss and observations out; nothing moves unless everything is finite."""

import math
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from optical.data.batches.batch import PairBatch
from optical.errors import NotFiniteError, NumericalError
from optical.objectives.base import Outcome

LossFunction = Callable[[nn.Module, PairBatch], Outcome]
"""An objective, or anything that measures an encoder on a batch."""


@dataclass(frozen=True)
class Update:
    """What one step did, over all ranks: loss, gradient norm before clipping, tokens read, and what was observed.

    From a mixture, ``observed`` holds ``loss/<data set>`` and ``pairs/<data set>`` of every data set in the batch.
    """

    loss: float
    grad_norm: float
    tokens: int
    observed: dict[str, float]


def update(
    encoder: nn.Module,
    objective: LossFunction,
    optimiser: torch.optim.Optimizer,
    batch: PairBatch,
    rate: float,
    max_grad_norm: float,
    accumulate: int = 1,
) -> Update:
    """Forward and backward over ``accumulate`` parts, finite check, clip, AdamW step at learning rate ``rate``.

    The loss of a part is its share of the global mean, so gradients add up over parts; data-parallel training averages
    them over ranks, so the backward pass is scaled by the number of ranks. Both give the gradient of the global mean.

    Raises:
        NumericalError: loss or gradient norm is not finite on any rank; the parameters are untouched.
    """
    optimiser.zero_grad(set_to_none=True)
    try:
        summed = _sum_over_ranks(_forward_backward(encoder, objective, batch, accumulate))
    except NotFiniteError as error:
        raise _diverged(batch, f"{error.where}: {error.parts[1]}") from error
    norm = float(nn.utils.clip_grad_norm_(encoder.parameters(), max_grad_norm))
    if not (math.isfinite(summed["loss"]) and math.isfinite(norm)):
        raise _diverged(batch, f"loss is {summed['loss']} and gradient norm {norm}, and both must be finite")
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    _sums_to_means(summed)
    return Update(summed.pop("loss"), norm, int(summed.pop("tokens")), summed)


def _diverged(batch: PairBatch, what: str) -> NumericalError:
    advice = "lower the learning rate or raise objective.epsilon; the last checkpoint is intact"
    return NumericalError(f"step {batch.step}", what, advice)


def _forward_backward(
    encoder: nn.Module, objective: LossFunction, batch: PairBatch, accumulate: int
) -> dict[str, Tensor]:
    """Add up this rank's gradients and sums part by part; ranks exchange gradients in the last backward pass only."""
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    totals: dict[str, Tensor] = {}
    *alone, last = _parts(batch, accumulate)
    for part in (*alone, last):
        with nullcontext() if part is last else getattr(encoder, "no_sync", nullcontext)():
            outcome = objective(encoder, part)
            (outcome.loss * ranks).backward()
        tokens = torch.tensor(float(part.num_tokens), device=outcome.loss.device)
        sums = {"loss": outcome.loss.detach(), "tokens": tokens, **outcome.observed, **_loss_sums(outcome, part)}
        totals = {name: totals.get(name, 0) + value for name, value in sums.items()}
    return totals


def _parts(batch: PairBatch, count: int) -> list[PairBatch]:
    """A batch as ``count`` runs of its pairs, of sizes that differ by one at most; fewer if it has fewer pairs."""
    columns = {name: value for name, value in vars(batch).items() if isinstance(value, Tensor)}
    rows = torch.arange(len(batch.weight)).tensor_split(min(count, len(batch.weight)))
    parts: list[dict[str, Any]] = [
        {name: value[part[0] : part[-1] + 1] for name, value in columns.items()} for part in rows
    ]
    return [replace(batch, **part) for part in parts]


def _loss_sums(outcome: Outcome, batch: PairBatch) -> dict[str, Tensor]:
    """Of each data set of a mixture: the sum of its pairs' losses, and how many these are."""
    if len(batch.dataset_names) < 2 or outcome.pair_loss is None or batch.dataset is None:
        return {}
    names = _labels(batch)
    member = nn.functional.one_hot(batch.dataset, len(names)).T * batch.weight
    losses = {f"loss/{name}": loss for name, loss in zip(names, member @ outcome.pair_loss.float(), strict=True)}
    return losses | {f"pairs/{name}": count for name, count in zip(names, member.sum(1), strict=True)}


def _labels(batch: PairBatch) -> list[str]:
    """Names of the data sets as every tracker takes them; a path loses its slashes."""
    return [re.sub(r"[^\w.-]+", "_", name).strip("_") for name in batch.dataset_names]


def _sums_to_means(summed: dict[str, float]) -> None:
    for name in [key.removeprefix("pairs/") for key in summed if key.startswith("pairs/")]:
        pairs = summed[f"pairs/{name}"]
        if pairs:
            summed[f"loss/{name}"] /= pairs
        else:
            del summed[f"loss/{name}"], summed[f"pairs/{name}"]


def _sum_over_ranks(values: dict[str, Tensor]) -> dict[str, float]:
    stacked = torch.stack([value.detach().float() for value in values.values()])
    if dist.is_initialized():
        dist.all_reduce(stacked)
    return dict(zip(values, stacked.tolist(), strict=True))
