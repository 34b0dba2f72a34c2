"""One update: batch in, loss and observations out; nothing moves unless everything is finite."""

import math
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor, nn

from optical.data.batches import PairBatch
from optical.errors import NumericalError
from optical.objectives.base import Objective


@dataclass(frozen=True)
class Update:
    """What one step did, over all ranks: loss, gradient norm before clipping, tokens read, and what was observed."""

    loss: float
    grad_norm: float
    tokens: int
    observed: dict[str, float]


def update(
    encoder: nn.Module,
    objective: Objective,
    optimiser: torch.optim.Optimizer,
    batch: PairBatch,
    rate: float,
    max_grad_norm: float,
) -> Update:
    """Forward, backward, finite check, clip, AdamW step at learning rate ``rate``.

    The loss of a rank is its share of the global mean; data-parallel training averages gradients over ranks, so
    the backward pass is scaled by the number of ranks to give the gradient of the global mean exactly.

    Raises:
        NumericalError: loss or gradient norm is not finite on any rank; the parameters are untouched.
    """
    ranks = dist.get_world_size() if dist.is_initialized() else 1
    outcome = objective(encoder, batch)
    optimiser.zero_grad(set_to_none=True)
    (outcome.loss * ranks).backward()
    norm = nn.utils.clip_grad_norm_(encoder.parameters(), max_grad_norm)
    tokens = torch.tensor(float(batch.num_tokens), device=outcome.loss.device)
    summed = _sum_over_ranks({"loss": outcome.loss, "tokens": tokens, **outcome.observed})
    if not (math.isfinite(summed["loss"]) and math.isfinite(float(norm))):
        raise NumericalError(
            f"step {batch.step}",
            f"loss is {summed['loss']} and gradient norm {float(norm)}, and both must be finite",
            "lower the learning rate or raise objective.epsilon; the last checkpoint is intact",
        )
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.step()
    return Update(summed.pop("loss"), float(norm), int(summed.pop("tokens")), summed)


def _sum_over_ranks(values: dict[str, Tensor]) -> dict[str, float]:
    stacked = torch.stack([value.detach().float() for value in values.values()])
    if dist.is_initialized():
        dist.all_reduce(stacked)
    return dict(zip(values, stacked.tolist(), strict=True))
