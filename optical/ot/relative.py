"""Epsilon in units of each pair's own mean cost.

Encoders differ in how close their tokens lie, and so do sentence pairs. One epsilon in the cost's units gives the one a
sharp plan and the other a blunt one. With s = <C, a b^T>, the mean cost of a pair under the product of its marginals,
the problem with costs C and regularisation epsilon s has the plan of the problem with costs C / s and epsilon,

    min <P, C> + epsilon s KL(P | a b^T)  =  s (min <P, C / s> + epsilon KL(P | a b^T)),

so the solvers, which take one epsilon for a batch, solve for C / s. This multiplies the penalty of ``unbalanced`` and
the proximal step of ``ipot`` by s too. The mass of ``partial`` has another unit, and is not changed.

How the value is chosen: measured on 192 Swahili-English news pairs as each encoder reads them, the mean cosine cost is
0.25 for multilingual-e5-small (0.20 to 0.29 in nine pairs of ten) and 0.92 for all-MiniLM-L6-v2. exp(H(P) - H(a)), with
H the entropy, is the number of target tokens that a source token's mass reaches. Of 22 target tokens, e5's plan reaches
20 at 0.1 in the cost's units, which is nearly the plan a b^T that aligns nothing; 7 at 0.1 of the mean cost, and 4 at
0.05. For MiniLM 0.1 in either unit is about the same (14 of 20 tokens). Which value trains best is not known from this;
the dev measure decides.

No fused kernel is used then: the cost matrix is written to memory and given to the solver, for Sinkhorn in single
precision on the CPU the compiled one.

s is a constant: no gradient flows through it. It depends on the real tokens of its own pair alone, so neither padding
nor the other pairs of a batch change the result.
"""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import NotFiniteError
from optical.ot.problem import Plan, Potentials, Problem

# Roundings by which a cost of two equal tokens may differ from zero, times their squared lengths.
_ROUNDINGS = 8
_TINY = 1e-30


def cost_scale(
    problem: Problem,
    source: Float[Tensor, "batch source dim"],
    target: Float[Tensor, "batch target dim"],
) -> Float[Tensor, " batch"]:
    """Each pair's mean cost <C, a b^T>, summed in double precision, in the cost's precision, without gradient.

    If all tokens of both sides are equal, costs are zero up to rounding and every plan is as good. A mean below the
    rounding counts as the rounding (2e-6 for L2-normalised embeddings in single precision), so noise is not magnified.

    Args:
        problem: costs, and masses that sum to one.
        source: the embeddings of the costs.
        target: likewise.

    Raises:
        NotFiniteError: the mean cost of a pair is not finite.
    """
    with torch.no_grad():
        a, b = problem.a.double(), problem.b.double()
        mean = (a.unsqueeze(2) * b.unsqueeze(1) * problem.real_cost.double()).sum((1, 2))
        for row in (~mean.isfinite()).nonzero().flatten().tolist():
            what = f"its mean cost is {float(mean[row])}, and epsilon is relative to it"
            raise NotFiniteError(f"cost, pair {row}", what, "check for overflow in the embeddings")
        lengths = _mean_square(source, a) + _mean_square(target, b)
        least = (_ROUNDINGS * torch.finfo(problem.cost.dtype).eps * lengths).clamp_min(_TINY)
        return torch.maximum(mean, least).to(problem.cost.dtype)


def to_scale(start: Potentials, scale: Float[Tensor, " batch"]) -> Potentials:
    """Potentials of the costs C as potentials of the costs C / s."""
    by_pair = scale.double().unsqueeze(1)
    return Potentials(start.f.double() / by_pair, start.g.double() / by_pair)


def from_scale(plan: Plan, problem: Problem, scale: Float[Tensor, " batch"]) -> Plan:
    """The plan for the costs C / s as the plan of ``problem``, whose costs are C: its epsilon is the one of each pair.

    Args:
        plan: what a solver found for C / s.
        problem: the problem with the costs C.
        scale: s of each pair.
    """
    scale = scale.double()
    by_pair = scale.unsqueeze(1)
    # Computed from C, the plan would differ by the rounding of C / s.
    known = replace(plan, problem=problem, given_matrix=plan.matrix, given_cost=None)
    return replace(known, f=plan.f * by_pair, g=plan.g * by_pair, epsilon=plan.epsilon * scale)


def _mean_square(side: Tensor, mass: Tensor) -> Float[Tensor, " batch"]:
    return (side.double().square().sum(2) * mass).sum(1)
