"""The over-relaxation factor of Sinkhorn's sweeps: one rule for plain torch and for the compiled kernel.

Over-relaxed sweeps (Thibault et al. 2021, arXiv:1711.01851; Lehmann et al. 2022, arXiv:2012.12562) take their factor
from the observed rate of convergence, as in Young's adaptive SOR.
"""

from collections.abc import Callable
from typing import Any

_MOST = 1.9
_SLOWEST = 0.9999


def relaxation_rule(choose: Callable, least: Callable, root: Callable) -> Callable[[Any, Any], Any]:
    """The rule, in the operations of the caller: torch's on tensors, numba's on numbers.

    Args:
        choose: (condition, one, other) to ``one`` where the condition holds.
        least: (value, bound) to the smaller of both.
        root: square root.
    """

    def relaxation(omega: Any, rate: Any) -> Any:
        # The rate of plain sweeps, by Young's estimate from the rate at omega. It has no meaning where another line
        # decides.
        plain_rate = least((rate + omega - 1) ** 2 / (rate * omega * omega), _SLOWEST)
        best = least(2 / (1 + root(1 - plain_rate)), _MOST)
        best = choose(rate <= omega - 1 + 1e-3, omega, best)
        return choose(rate >= 1, 1 + (omega - 1) / 2, best)

    return relaxation
