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

from optical.errors import DataError, UserError
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.head import Normalise, projection
from optical.model.maxsim import maxsim
from optical.model.text.roles import ROLES

_SENTENCES, _JUDGED, _LENGTH = 2000, 400, 128


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
    encoder: Encoder, sources: Sequence[str], targets: Sequence[str], directions: int = 0, only_if_better: bool = False
) -> tuple[Encoder, dict[str, str | float]]:
    """The encoder centred on the English side of bitext, and what was found.

    The mean is that of the tokens of English sentences read as documents. Passages of a collection are not needed: the
    vector is the same property of the encoder, and no test collection decides it.

    Args:
        encoder: without gradients.
        sources: source side of the bitext.
        targets: its English side, in the same order.
        directions: principal directions to remove too.
        only_if_better: leave the encoder as it is unless, centred, it finds the translations of more source sentences
            (mean reciprocal rank over 400 evenly spaced pairs), sources read as queries and targets as documents.

    Raises:
        DataError: there is no pair to learn from.
        UserError: there are fewer dimensions than directions.
    """
    pairs = [pair for pair in zip(sources, targets, strict=True) if pair[0].strip() and pair[1].strip()]
    if not pairs:
        raise DataError("centring", "there is no pair with a letter on both sides", "give bitext")
    some = _spaced(pairs, _SENTENCES)
    found = moments(encode_texts(encoder, [target for _, target in some], "document", _LENGTH))
    moved = centred(encoder, found, directions)
    before, after = (_translations_found(one, _spaced(pairs, _JUDGED)) for one in (encoder, moved))
    taken = after > before or not only_if_better
    told = f"translations found {before:.3f} without, {after:.3f} with it (MRR); {'taken' if taken else 'not taken'}"
    length = float(found.mean.norm())
    facts: dict[str, str | float] = {"centring": told, "mean_length": length, "mrr_plain": before, "mrr_centred": after}
    return (moved if taken else encoder), facts


def _translations_found(encoder: Encoder, pairs: Sequence[tuple[str, str]]) -> float:
    """Mean reciprocal rank of each source's own target among all targets."""
    queries, documents = (
        nn.utils.rnn.pad_sequence(encode_texts(encoder, texts, role, _LENGTH), batch_first=True)
        for texts, role in zip(zip(*pairs, strict=True), ROLES, strict=True)
    )
    masks = queries.any(2), documents.any(2)
    scores = torch.cat(
        [
            maxsim(queries[row : row + 32], masks[0][row : row + 32], documents, masks[1])
            for row in range(0, len(queries), 32)
        ]
    )
    ranks = (~(scores < scores.diagonal().unsqueeze(1))).sum(1)
    return float((1 / ranks.double()).mean())


def _spaced(pairs: Sequence[tuple[str, str]], count: int) -> list[tuple[str, str]]:
    step = max(1, len(pairs) // count)
    return list(pairs[::step][:count])


def freeze_centring(encoder: Encoder) -> None:
    """Fix the layers behind the first normalisation of the head: they belong to the space, not to the student."""
    behind = False
    for layer in encoder.head:
        behind = behind or isinstance(layer, Normalise)
        if behind:
            layer.requires_grad_(False)
