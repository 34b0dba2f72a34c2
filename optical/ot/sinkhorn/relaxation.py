"""The over-relaxation factor of Sinkhorn's sweeps: one rule for torch and for the compiled kernel.

The factor of over-relaxed sweeps (Thibault et al. 2021, arXiv:1711.01851; Lehmann et al. 2022, arXiv:2012.12562) is
computed from the observed rate of convergence, as in Young's adaptive SOR.
"""

from collections.abc import Callable
from typing import Any

_MAX_FACTOR = 1.9
_MAX_RATE = 0.9999


def relaxation_rule(choose: Callable, least: Callable, root: Callable) -> Callable[[Any, Any], Any]:
    """The rule, with the operations of the caller: torch's on tensors, numba's on numbers.

    Args:
        choose: (condition, one, other) to ``one`` where the condition holds, else ``other``.
        least: (value, bound) to the smaller of the two.
        root: square root.
    """

    def relaxation(omega: Any, rate: Any) -> Any:
        # Young's estimate of the rate of plain sweeps from the rate at omega; unused where the last lines decide.
        plain_rate = least((rate + omega - 1) ** 2 / (rate * omega * omega), _MAX_RATE)
        best = least(2 / (1 + root(1 - plain_rate)), _MAX_FACTOR)
        best = choose(rate <= omega - 1 + 1e-3, omega, best)
        return choose(rate >= 1, 1 + (omega - 1) / 2, best)

    return relaxation
