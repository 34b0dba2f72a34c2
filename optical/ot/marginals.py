"""Marginals: the share of a sentence's mass of each of its tokens.

Uniform mass weights all tokens equally. Other marginals weight tokens by their embedding's norm (Arase, Bao and Yokoi
2023, arXiv:2306.04116, OTAlign; Yokoi et al. 2020, arXiv:2004.15003), rarity (idf) or attention. Every marginal is
exactly zero on masked tokens, positive on all others, sums to one and carries no gradient.
"""

from jaxtyping import Bool, Float
from torch import Tensor

from optical.errors import NumericalError, UserError

WEIGHTED = ("idf", "attention", "given")
MARGINALS = ("uniform", "norm", *WEIGHTED)

# Every real token has mass, because a token without mass would count as padding.
_LEAST = 1e-6


def uniform_marginal(mask: Bool[Tensor, "batch tokens"]) -> Float[Tensor, "batch tokens"]:
    """Equal mass 1/n on each of a sentence's n real tokens, exactly zero on masked ones."""
    mass = mask.float()
    return mass / mass.sum(1, keepdim=True).clamp_min(1)


def weighted_marginal(
    mask: Bool[Tensor, "batch tokens"], weights: Float[Tensor, "batch tokens"]
) -> Float[Tensor, "batch tokens"]:
    """Mass in proportion to ``weights``; weights below 1e-6 count as 1e-6.

    Raises:
        UserError: the weight of a real token is negative.
        NumericalError: the weight of a real token is not finite.
    """
    weights = weights.detach().float().masked_fill(~mask, 0)
    for row in (~weights.isfinite()).any(1).nonzero().flatten().tolist():
        what = "the weight of one of its tokens is not finite"
        raise NumericalError(f"marginal of problem {row}", what, "check its weights or embeddings")
    for row in (weights < 0).any(1).nonzero().flatten().tolist():
        what = "the weight of one of its tokens is negative"
        raise UserError(f"marginal of problem {row}", what, "give weights of 0 or more")
    mass = weights.clamp_min(_LEAST).masked_fill(~mask, 0)
    return mass / mass.sum(1, keepdim=True).clamp_min(_LEAST)


def marginal(
    name: str,
    mask: Bool[Tensor, "batch tokens"],
    embeddings: Float[Tensor, "batch tokens dim"] | None = None,
    weights: Float[Tensor, "batch tokens"] | None = None,
) -> Float[Tensor, "batch tokens"]:
    """The marginal called ``name``, in float32.

    Args:
        name: ``uniform``; ``norm``, the L2 norm of ``embeddings``; ``idf``, ``attention`` or ``given``, which all use
            ``weights`` unchanged; the name describes them.
        mask: true for tokens that take part. A sentence without such tokens has no mass.
        embeddings: before L2-normalisation, which makes every norm one.
        weights: one number per token.

    Raises:
        UserError: there is no marginal of that name, or its embeddings or weights are missing.
        NumericalError: the weight of a real token is not finite.
    """
    if name == "uniform":
        return uniform_marginal(mask)
    if name == "norm" and embeddings is not None:
        return weighted_marginal(mask, embeddings.detach().float().norm(dim=2))
    if name in WEIGHTED and weights is not None:
        return weighted_marginal(mask, weights)
    if name in MARGINALS:
        missing = "embeddings" if name == "norm" else "weights per token"
        raise UserError(f"marginal {name!r}", f"needs {missing}", "pass them, or use uniform")
    raise UserError("marginal", f"is {name!r}", f"choose from {', '.join(MARGINALS)}")
