"""Centring: subtract from every token vector what all of them have in common.

The token vectors of some encoders share a large mean: that of multilingual-e5-small has length .78, and its cosines lie
close together. Subtracting the mean spreads them, and costs nothing (Mu and Viswanath 2018, arXiv:1702.01417, do the
same for word vectors). A centred encoder has two more layers in its head, a normalisation and a fixed linear layer,
before the normalisation that always comes last. Whatever reads the folder applies them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from optical.errors import DataError, UserError
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.head import Normalise, projection
from optical.model.maxsim import maxsim_in_parts, own_reciprocal_rank

_PASSAGES, _JUDGED, _LENGTH, _AT_ONCE = 256, 300, 128, 32
_Item = TypeVar("_Item")


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


def centre_on(
    encoder: Encoder,
    passages: Sequence[str],
    pairs: Sequence[tuple[str, str]],
    directions: int = 0,
    only_if_better: bool = False,
) -> tuple[Encoder, dict[str, str | float]]:
    """The encoder centred on the passages that it will search, and what was found.

    The mean is that of the tokens of up to 256 evenly spaced passages, read as documents. It has to be the mean of
    the collection: that of other English passages, at a cosine of .99 to it, gains nothing.

    Args:
        encoder: without gradients.
        passages: of the collection; no topic and no judgement is read.
        pairs: bitext, source and English, to judge the gain by.
        directions: principal directions to remove too.
        only_if_better: leave the encoder as it is unless, centred, it finds the translations of more source sentences
            (mean reciprocal rank over some 300 pairs), sources read as queries and targets as documents.

    Raises:
        DataError: there is no passage to learn from, or no pair to judge by.
        UserError: there are fewer dimensions than directions.
    """
    judged = _spaced([pair for pair in pairs if pair[0].strip() and pair[1].strip()], _JUDGED)
    chosen = _spaced([passage for passage in passages if passage.strip()], _PASSAGES)
    if not (judged and chosen):
        what = f"there are {len(chosen)} passages to learn from and {len(judged)} pairs to judge by"
        raise DataError("centring", what, "give a collection and bitext")
    found = moments(encode_texts(encoder, chosen, "document", _LENGTH))
    moved = centred(encoder, found, directions)
    plain = (
        encode_texts(encoder, [source for source, _ in judged], "query", _LENGTH),
        encode_texts(encoder, [target for _, target in judged], "document", _LENGTH),
    )
    # The layers of centring take unit vectors, so no text is encoded again.
    both = (plain, tuple([_moved(moved, vectors) for vectors in side] for side in plain))
    before, after = (_translations_found(*sides) for sides in both)
    taken = after > before or not only_if_better
    told = f"translations found {before:.3f} without, {after:.3f} with it (MRR); {'taken' if taken else 'not taken'}"
    length = float(found.mean.norm())
    facts: dict[str, str | float] = {"centring": told, "mean_length": length, "mrr_plain": before, "mrr_centred": after}
    return (moved if taken else encoder), facts


@torch.no_grad()
def _moved(encoder: Encoder, vectors: Float[Tensor, "tokens dim"]) -> Float[Tensor, "tokens dim"]:
    return nn.functional.normalize(encoder.head[-1](vectors), dim=-1)


def _translations_found(
    queries: Sequence[Float[Tensor, "_ dim"]], documents: Sequence[Float[Tensor, "_ dim"]]
) -> float:
    """Mean reciprocal rank of each query's own document among all documents."""
    padded = [nn.utils.rnn.pad_sequence(list(side), batch_first=True) for side in (queries, documents)]
    masks = [side.any(2) for side in padded]
    return own_reciprocal_rank(maxsim_in_parts(padded[0], masks[0], padded[1], masks[1], _AT_ONCE))


def _spaced(items: Sequence[_Item], count: int) -> list[_Item]:
    return list(items[:: max(1, len(items) // count)][:count])


def freeze_centring(encoder: Encoder) -> None:
    """Fix the layers behind the first normalisation of the head: they belong to the space, not to the student."""
    behind = False
    for layer in encoder.head:
        behind = behind or isinstance(layer, Normalise)
        if behind:
            layer.requires_grad_(False)
