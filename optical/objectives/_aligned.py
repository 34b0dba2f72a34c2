"""What the objectives that align tokens without transport share: ``greedy``, ``argmax`` and ``intersection``.

Each of them finds an alignment W of a pair's tokens and holds it constant. Where anything is aligned, W sums to one;
the loss is the aligned tokens' mean cosine distance, sum_ij W_ij (1 - s_i . t_j), times a factor of the objective. W is
zero on padding and on tokens that take no part.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from optical.data.batches.batch import PairBatch
from optical.errors import UserError
from optical.objectives.base import Alignment, Embed, Losses, Objective, TokensConfig

if TYPE_CHECKING:
    from jaxtyping import Bool, Float
    from torch import Tensor

    from optical.model.encoder import Encoder

_Config = TypeVar("_Config", bound=TokensConfig)


@dataclass(frozen=True)
class Aligned:
    """The aligned tokens of a batch.

    Args:
        cost: (batch, source, target) cosine distances, on autograd's tape.
        weights: (batch, source, target) the alignment W, a constant.
        source_mask: (batch, source) source tokens that take part.
        target_mask: (batch, target) target tokens that take part.
    """

    cost: Float[Tensor, "batch source target"]
    weights: Float[Tensor, "batch source target"]
    source_mask: Bool[Tensor, "batch source"]
    target_mask: Bool[Tensor, "batch target"]

    @property
    def distance(self) -> Float[Tensor, " batch"]:
        """Mean cosine distance of the aligned tokens of each pair; 0 where none are aligned."""
        return (self.weights * self.cost).sum((1, 2))


class AlignedDistillation(Objective, Generic[_Config]):
    """Move the student's source embeddings towards the frozen teacher's target embeddings along an alignment.

    Args:
        teacher: encodes the target side.
        config: which tokens take part, and the settings of the alignment.
    """

    factor: ClassVar[float] = 1.0
    """What the mean cosine distance is multiplied by."""

    def __init__(self, teacher: Encoder | None, config: _Config) -> None:
        super().__init__(teacher)
        self.config = config

    @abstractmethod
    def weights(
        self, cost: Float[Tensor, "batch source target"], cells: Bool[Tensor, "batch source target"]
    ) -> Float[Tensor, "batch source target"]:
        """The alignment of each pair, computed without gradient.

        Args:
            cost: cosine distances.
            cells: whether both tokens of a cell take part; every pair has such a cell.
        """

    def losses(self, encoder: Embed, batch: PairBatch) -> Losses:
        """The loss of each pair, and what is observed of its alignment."""
        found = self.aligned(encoder, batch)
        return Losses(self.factor * found.distance, self.observed(found))

    def observed(self, found: Aligned) -> dict[str, Tensor]:
        """The entropy of each alignment in nats."""
        import torch

        return {"plan_entropy": torch.special.entr(found.weights).sum((1, 2))}

    def aligned(self, encoder: Embed, batch: PairBatch) -> Aligned:
        """The aligned tokens of each pair.

        Raises:
            UserError: a sentence has no token that takes part; or an embedding is not finite, or not of length one.
        """
        import torch

        from optical.ot import checks
        from optical.ot.cost import cosine_cost

        sides = {
            "target": (self.targets(encoder, batch), self.config.taking_part(batch.target)),
            "source": (encoder(batch.source.ids, batch.source.mask), self.config.taking_part(batch.source)),
        }
        # Zeros on padding, so that padding cannot reach a gradient.
        clean = {}
        for name, (vectors, mask) in sides.items():
            for row in (~mask.any(1)).nonzero().flatten()[:1].tolist():
                what = f"its {name} side has no token that takes part"
                raise UserError(f"pair {row}", what, "drop pairs with an empty side")
            checks.embeddings(name, vectors, mask, unit=True)
            clean[name] = vectors.masked_fill(~mask.unsqueeze(2), 0.0)
        source_mask, target_mask = sides["source"][1], sides["target"][1]
        cost = cosine_cost(clean["source"], clean["target"])
        with torch.no_grad():
            weights = self.weights(cost.detach(), source_mask.unsqueeze(2) & target_mask.unsqueeze(1))
        return Aligned(cost, weights, source_mask, target_mask)

    def alignment(self, encoder: Embed, batch: PairBatch) -> Alignment:
        """The alignment of each pair. It prescribes no mass, so tokens are measured by the heaviest of their pair."""
        import torch

        with torch.no_grad():
            found = self.aligned(encoder, batch)
        heaviest = found.weights.sum(2).amax(1, keepdim=True)
        counts, distances = (found.weights > 0).sum((1, 2)), found.distance
        return Alignment(
            plan=found.weights,
            source_mask=found.source_mask,
            target_mask=found.target_mask,
            source_mass=found.source_mask * heaviest.masked_fill(heaviest == 0, 1.0),
            captions=tuple(
                f"{int(count)} aligned cells, mean cosine distance {float(distance):.3f}"
                for count, distance in zip(counts, distances, strict=True)
            ),
            is_transport=False,
        )
