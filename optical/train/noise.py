"""Noisy bitext: pairs whose loss lies far above that of the other pairs of a batch count less.

The weight of a pair is Huber's (1964, "Robust Estimation of a Location Parameter", as reweighted least squares use it):
1 up to 1.345 standard deviations above the median, and then in inverse proportion to the distance. The standard
deviation is estimated from the median absolute deviation (Hampel 1974), so that as much as half of a batch may be noise
and changes neither much. No label is read, and no pair is lost.
"""

from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from optical.data.batches.batch import PairBatch
from optical.model.gathered import gathered
from optical.objectives.base import Losses, Objective, Outcome, averaged
from optical.train.step import LossFunction

_TUNING = 1.345
"""Huber's constant: 95 % as efficient as the plain mean where losses are normally distributed."""
_NORMAL = 1.4826
"""Standard deviation of a normal distribution whose median absolute deviation is 1."""


def huber_weights(
    losses: Float[Tensor, " pairs"], among: Float[Tensor, " all_pairs"] | None = None
) -> Float[Tensor, " pairs"]:
    """The weight of each pair, above 0 and at most 1.

    >>> huber_weights(torch.tensor([1.0, 2.0, 3.0, 11.0])).tolist()[:3]  # median 2.5, median deviation 1
    [1.0, 1.0, 1.0]

    Args:
        losses: of the pairs to weight.
        among: of all pairs of the batch; by default ``losses``. If most of them are equal, every weight is 1.
    """
    among = losses if among is None else among
    median = among.quantile(0.5)
    most = _TUNING * _NORMAL * (among - median).abs().quantile(0.5)
    excess = losses - median
    return torch.where((excess > most) & (most > 0), most / excess, torch.ones_like(losses))


def noise_weighted(objective: Objective, rule: Literal["off", "huber"]) -> LossFunction:
    """The objective, with its pairs weighted by ``train.noise_weighting``."""
    return objective if rule == "off" else HuberWeighted(objective)


@dataclass(frozen=True)
class HuberWeighted:
    """The weighted mean of an objective's losses over the global batch; weights carry no gradient.

    Median, deviation and the sum of the weights are those of the pairs of all ranks, so the number of ranks changes
    nothing but rounding. Fillers are no pairs.
    """

    objective: Objective

    def __call__(self, encoder: nn.Module, batch: PairBatch) -> Outcome:
        """This rank's share of the weighted mean, the weights' mean, and the unweighted loss of each pair."""
        losses = self.objective.losses(encoder, batch)
        with torch.no_grad():
            found = losses.value.detach().float()
            among, counts = (gathered(rows)[0] for rows in (found, batch.weight))
            among = among[counts > 0]
            weights, mean = huber_weights(found, among), huber_weights(among).mean()
        value = losses.value * (weights / mean)
        outcome = averaged(Losses(value, losses.observed | {"noise_weight": weights}), batch)
        return replace(outcome, pair_loss=losses.value.detach())
