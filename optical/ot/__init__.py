"""Optimal transport for batches of small, ragged problems.

Reading order: ``problem`` (what goes in, what comes out) and ``settings``; ``cost`` and ``marginals`` (how a sentence
pair becomes a problem); ``forms`` and ``sinkhorn`` (the sweeps), ``semidual`` and ``newton`` (where they crawl),
``values`` (how far from the optimum); ``solver`` and ``backends`` (who does the work: plain torch here, machine code in
``compiled``, one GPU kernel in ``triton``); the other methods ``ipot``, ``unbalanced``, ``partial`` and ``exact`` on
their common ``log_domain``; ``loss``, ``gradients``, ``fused`` and ``divergence`` (what is minimised in training).

Letters, as in the literature: C cost, a and b marginals, P plan, f and g potentials, u and v scalings.
"""

from optical.ot.divergence import Divergence, sinkhorn_divergence
from optical.ot.loss import transport_loss
from optical.ot.problem import Plan, Potentials, Problem
from optical.ot.settings import Settings
from optical.ot.solver import solve
from optical.ot.transported import TransportLoss
from optical.ot.values import dual_value, duality_gap, primal_value

__all__ = [
    "Divergence",
    "Plan",
    "Potentials",
    "Problem",
    "Settings",
    "TransportLoss",
    "dual_value",
    "duality_gap",
    "primal_value",
    "sinkhorn_divergence",
    "solve",
    "transport_loss",
]
