"""A start from unpaired text: the map between the normal distributions of two clouds of token vectors.

A student reads sentences of its own language, the teacher English ones, and no sentence has to be a translation of
another. Both clouds are summed up by their means m and covariances S. The linear map x -> m2 + A (x - m1) with

    A = S1^(-1/2) (S1^(1/2) S2 S1^(1/2))^(1/2) S1^(-1/2)

moves the first normal distribution onto the second at the least mean squared distance (Knott and Smith 1984; Peyre and
Cuturi 2019, arXiv:1803.00567, remark 2.31; after Bures and Wasserstein). It matches two moments and knows no word.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import DataError, NumericalError, UserError
from optical.model.alignment import AT_ONCE, LENGTH
from optical.model.encoder import Encoder
from optical.model.head import Dense, projection
from optical.model.precision import precision
from optical.model.text.padding import pad
from optical.model.text.roles import Role

SHRINKAGE = 1e-3
"""Share of each covariance that is replaced by the mean variance times the identity, so that it has an inverse."""
_HELD_OUT = 10


@dataclass(frozen=True)
class Gaussian:
    """Mean and covariance of a cloud of vectors, in float64, and how many vectors there are.

    Shapes: mean (dim,), covariance (dim, dim).
    """

    mean: Float[Tensor, " dim"]
    covariance: Float[Tensor, "dim dim"]
    tokens: int

    def shrunk(self, share: float = SHRINKAGE) -> "Gaussian":
        """The same cloud, with its covariance drawn to a multiple of the identity of the same trace."""
        spread = self.covariance.diagonal().mean() * torch.eye(len(self.mean), dtype=torch.float64)
        return Gaussian(self.mean, (1 - share) * self.covariance + share * spread, self.tokens)

    def mapped(self, weight: Float[Tensor, "out dim"], bias: Float[Tensor, " out"]) -> "Gaussian":
        """The cloud after a linear map."""
        return Gaussian(weight @ self.mean + bias, weight @ self.covariance @ weight.T, self.tokens)


def gaussian_map(source: Gaussian, target: Gaussian) -> tuple[Float[Tensor, "dim dim"], Float[Tensor, " dim"]]:
    """The matrix A and the bias m2 - A m1 that move ``source`` onto ``target``.

    Raises:
        NumericalError: a vector of either cloud is not finite, or the covariance of ``source`` has no inverse.
    """
    if not all(part.isfinite().all() for one in (source, target) for part in (one.mean, one.covariance)):
        raise NumericalError("gaussian start", "a token vector is not finite", "check the weights of both encoders")
    root = _root(source.covariance)
    inverse, failed = torch.linalg.inv_ex(root)
    weight = inverse @ _root(root @ target.covariance @ root) @ inverse
    if int(failed) or not weight.isfinite().all():
        what = f"{source.tokens} token vectors have a covariance without an inverse"
        raise NumericalError("gaussian start", what, "give more sentences")
    return weight, target.mean - weight @ source.mean


def bures_wasserstein(one: Gaussian, other: Gaussian) -> float:
    """The 2-Wasserstein distance of two normal distributions."""
    root = _root(one.covariance)
    shared = _root(root @ other.covariance @ root).trace()
    squared = (one.mean - other.mean).square().sum() + (one.covariance + other.covariance).trace() - 2 * shared
    return float(squared.clamp(min=0).sqrt())


def gaussian_start(
    student: Encoder, teacher: Encoder, sources: Sequence[str], english: Sequence[str], role: Role = "query"
) -> tuple[Dense, dict[str, str | float]]:
    """The layer that is to follow the student's head, and facts about it.

    Vectors are those of a text's own tokens as a head gives them, before the last normalisation. Every tenth sentence
    is held out, to measure how near the clouds are: their distance, in units of the standard deviation of the
    teacher's.

    Args:
        student: reads ``sources`` as queries.
        teacher: reads ``english`` in ``role``.
        sources: sentences of the student's language, in any order.
        english: English sentences, likewise.
        role: how the teacher reads the English side in the distillation.

    Raises:
        UserError: the dimensions differ.
        DataError: a side has fewer tokens than dimensions, or none is held out.
        NumericalError: a vector is not finite.
    """
    if student.dim != teacher.dim:
        what = f"is gaussian, and the student has {student.dim} dimensions, the teacher {teacher.dim}"
        raise UserError("student.start", what, "set ridge or procrustes, which fit a projection")
    ours, ours_held_out = _clouds(student, sources, "query", "source")
    theirs, theirs_held_out = _clouds(teacher, english, role, "English")
    weight, bias = gaussian_map(ours.shrunk(), theirs.shrunk())
    unit = float(theirs_held_out.covariance.trace().sqrt())
    moved = ours_held_out.mapped(weight, bias)
    before, after = (bures_wasserstein(cloud, theirs_held_out) / unit for cloud in (ours_held_out, moved))
    told = f"gaussian on {ours.tokens:,} source and {theirs.tokens:,} English tokens, unpaired, distance of the clouds"
    facts = {"source_tokens": ours.tokens, "english_tokens": theirs.tokens, "cloud_distance": after}
    return projection(weight.float(), bias.float()), {"start": f"{told} {after:.3f} (before {before:.3f})"} | facts


def _clouds(encoder: Encoder, texts: Sequence[str], role: Role, side: str) -> tuple[Gaussian, Gaussian]:
    """The cloud to fit on, and that of every tenth sentence."""
    there = [text for text in texts if text.strip()]
    fitted = [text for place, text in enumerate(there) if place % _HELD_OUT < _HELD_OUT - 1]
    clouds = [_cloud(encoder, some, role) for some in (fitted, there[_HELD_OUT - 1 :: _HELD_OUT])]
    for cloud, needed in zip(clouds, (encoder.dim, 1), strict=True):
        if cloud.tokens < needed:
            what = f"the {side} side has {cloud.tokens} tokens, and {needed} are needed"
            raise DataError("gaussian start", what, "give more sentences")
    return clouds[0], clouds[1]


@torch.no_grad()
def _cloud(encoder: Encoder, texts: Sequence[str], role: Role) -> Gaussian:
    """The distribution of the texts' own tokens, from sums of products."""
    sentences = encoder.reader.encode(texts, role, min(LENGTH, encoder.positions))
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    total = torch.zeros(encoder.dim, dtype=torch.float64)
    products, tokens = torch.zeros(encoder.dim, encoder.dim, dtype=torch.float64), 0
    for start in range(0, len(order), AT_ONCE):
        batch = pad(sentences.take(pa.array(order[start : start + AT_ONCE])), encoder.reader.frames[role])
        ids, mask = batch.ids.to(encoder.device), batch.mask.to(encoder.device)
        with precision(ids.device.type, half=False):
            hidden = encoder.head(encoder.backbone(input_ids=ids, attention_mask=mask.long()).last_hidden_state)
        rows = hidden.cpu()[batch.inner].double()
        total, products, tokens = total + rows.sum(0), products + rows.T @ rows, tokens + len(rows)
    mean = total / max(1, tokens)
    return Gaussian(mean, products / max(1, tokens) - torch.outer(mean, mean), tokens)


def _root(matrix: Float[Tensor, "dim dim"]) -> Float[Tensor, "dim dim"]:
    """The symmetric square root; eigenvalues that rounding made negative count as zero."""
    values, vectors = torch.linalg.eigh((matrix + matrix.T) / 2)
    return (vectors * values.clamp(min=0).sqrt()) @ vectors.T
