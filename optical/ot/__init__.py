"""Optimal transport for batches of small, ragged problems.

Reading order: ``problem`` (input and output) and ``settings``; ``cost`` and ``marginals`` (how a sentence pair becomes
a problem); ``solver``, which calls one of ``methods/``; ``sinkhorn/``, which the methods share (sweeps, Newton steps);
``values`` (duality gap); ``loss``, ``relative`` (epsilon in units of the mean cost), ``gradients`` and ``divergence``
(the losses for training); ``kernels/`` (a compiled CPU kernel, a Triton kernel for GPUs, and the choice between them
and torch).

Symbols follow the literature: C cost, a and b marginals, P plan, f and g potentials, u and v scalings.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optical.ot.divergence import Divergence, sinkhorn_divergence
    from optical.ot.loss import transport_loss
    from optical.ot.problem import Plan, Potentials, Problem
    from optical.ot.settings import LossSettings, Settings
    from optical.ot.solver import solve
    from optical.ot.transported import TransportLoss
    from optical.ot.values import dual_value, duality_gap, primal_value

__all__ = [
    "Divergence",
    "LossSettings",
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

_HOMES = {
    "divergence": ("Divergence", "sinkhorn_divergence"),
    "loss": ("transport_loss",),
    "problem": ("Plan", "Potentials", "Problem"),
    "settings": ("LossSettings", "Settings"),
    "solver": ("solve",),
    "transported": ("TransportLoss",),
    "values": ("dual_value", "duality_gap", "primal_value"),
}
_MODULE_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used, so that recipes, which read ``settings``, load without torch."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
