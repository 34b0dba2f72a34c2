"""One update of the parameters, which happens only if loss and gradient are finite."""

import math
import re
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from optical.data.batches.batch import PairBatch
from optical.errors import NotFiniteError, NumericalError
from optical.objectives.base import Outcome

LossFunction = Callable[[nn.Module, PairBatch], Outcome]
"""An objective, or any other function of an encoder and a batch."""


@dataclass(frozen=True)
class Update:
    """The result of one step over all ranks: loss, gradient norm before clipping, tokens, and measurements.

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
    """Forward and backward over ``accumulate`` parts, check, clip, and step at learning rate ``rate``.

    A parameter group with a ``factor`` takes the rate times that factor.
    The loss of a part is its share of the global mean, so gradients add up over parts; data-parallel training averages
    them over ranks, so the backward pass is scaled by the number of ranks. Both give the gradient of the global mean.

    Raises:
        NumericalError: loss or gradient norm is not finite on some rank; the parameters are unchanged.
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
        group["lr"] = rate * group.get("factor", 1.0)
    optimiser.step()
    _sums_to_means(summed)
    return Update(summed.pop("loss"), norm, int(summed.pop("tokens")), summed)


def _diverged(batch: PairBatch, what: str) -> NumericalError:
    advice = "lower the learning rate or raise objective.epsilon; the last checkpoint is intact"
    return NumericalError(f"step {batch.step}", what, advice)


def _forward_backward(
    encoder: nn.Module, objective: LossFunction, batch: PairBatch, accumulate: int
) -> dict[str, Tensor]:
    """Sum gradients and measurements over parts; ranks exchange gradients only in the last backward pass."""
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    totals: dict[str, Tensor] = {}
    *first, last = _parts(batch, accumulate)
    for part in (*first, last):
        with nullcontext() if part is last else getattr(encoder, "no_sync", nullcontext)():
            outcome = objective(encoder, part)
            (outcome.loss * ranks).backward()
        tokens = torch.tensor(float(part.num_tokens), device=outcome.loss.device)
        sums = {"loss": outcome.loss.detach(), "tokens": tokens, **outcome.observed, **_loss_sums(outcome, part)}
        totals = {name: totals.get(name, 0) + value for name, value in sums.items()}
    return totals


def _parts(batch: PairBatch, count: int) -> list[PairBatch]:
    """A batch in ``count`` parts whose sizes differ by at most one; fewer parts if it has fewer pairs."""
    rows = torch.arange(len(batch.weight)).tensor_split(min(count, len(batch.weight)))
    return [batch.rows(slice(int(part[0]), int(part[-1]) + 1)) for part in rows]


def _loss_sums(outcome: Outcome, batch: PairBatch) -> dict[str, Tensor]:
    """The sum of the losses and the number of pairs of each data set of a mixture."""
    if len(batch.dataset_names) < 2 or outcome.pair_loss is None or batch.dataset is None:
        return {}
    names = _labels(batch)
    member = nn.functional.one_hot(batch.dataset, len(names)).T * batch.weight
    losses = {f"loss/{name}": loss for name, loss in zip(names, member @ outcome.pair_loss.float(), strict=True)}
    return losses | {f"pairs/{name}": count for name, count in zip(names, member.sum(1), strict=True)}


def _labels(batch: PairBatch) -> list[str]:
    """Names of the data sets in characters that every tracker accepts; slashes become underscores."""
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
