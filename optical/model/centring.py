"""Centring: subtract from every token vector what all of them have in common.

The token vectors of some encoders share a large mean: that of multilingual-e5-small has length .78, and its cosines lie
close together. Subtracting the mean spreads them, and costs nothing (Mu and Viswanath 2018, arXiv:1702.01417, do the
same for word vectors). A centred encoder has two more layers in its head, a normalisation and a fixed linear layer,
before the normalisation that always comes last. Whatever reads the folder applies them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from optical.errors import UserError
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.head import Normalise, projection


@dataclass(frozen=True)
class Moments:
    """Mean of unit vectors, and their principal directions, the strongest first.

    Shapes: mean (dim,), directions (dim, dim) with a direction in each row, variances (dim,).
    """

    mean: Float[Tensor, " dim"]
    directions: Float[Tensor, "dim dim"]
    variances: Float[Tensor, " dim"]


def moments(vectors: Sequence[Float[Tensor, "_ dim"]]) -> Moments:
    """The moments of all rows, in float64.

    >>> found = moments([torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])])
    >>> found.mean.tolist(), [round(value, 3) for value in found.variances.tolist()]
    ([0.5, 0.5], [0.5, 0.0])
    """
    rows = torch.cat(list(vectors)).double()
    mean = rows.mean(0)
    spread = (rows - mean).T @ (rows - mean) / len(rows)
    variances, directions = torch.linalg.eigh(spread)
    return Moments(mean, directions.T.flip(0), variances.flip(0))


def passage_moments(encoder: Encoder, passages: Sequence[str], length: int) -> Moments:
    """The moments of the tokens of English passages that score, as documents."""
    return moments(encode_texts(encoder, passages, "document", length))


def centred(encoder: Encoder, found: Moments, directions: int = 0) -> Encoder:
    """The encoder with its vectors centred.

    Args:
        encoder: is not changed; the result shares its backbone.
        found: of its token vectors.
        directions: so many of the strongest principal directions are removed too.

    Raises:
        UserError: there are no so many directions.
    """
    if directions >= len(found.mean):
        what = f"is {directions}, and the vectors have {len(found.mean)} dimensions"
        raise UserError("teacher.centre_directions", what, "set a smaller number")
    removed = found.directions[:directions]
    kept = torch.eye(len(found.mean), dtype=torch.float64) - removed.T @ removed
    layer = projection(kept.float(), (-kept @ found.mean).float())
    return Encoder(encoder.backbone, encoder.reader, nn.Sequential(*encoder.head, Normalise(), layer), encoder.pooling)


def freeze_centring(encoder: Encoder) -> None:
    """Fix the layers behind the first normalisation of the head: they belong to the space, not to the student."""
    behind = False
    for layer in encoder.head:
        behind = behind or isinstance(layer, Normalise)
        if behind:
            layer.requires_grad_(False)
