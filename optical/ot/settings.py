"""How a batch of transport problems is to be solved: method, regularisation, when to stop, where to run."""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from numbers import Real
from typing import Literal, TypedDict, get_args

from optical.errors import UserError

Method = Literal["sinkhorn", "ipot", "unbalanced", "partial", "exact"]
Acceleration = Literal["auto", "none", "overrelaxation", "newton"]
Backend = Literal["auto", "torch", "compiled", "triton"]


class Options(TypedDict, total=False):
    """The fields of ``Settings`` but the method, as keyword arguments; their defaults are those of ``Settings``."""

    epsilon: float
    tolerance: float
    max_iterations: int
    acceleration: Acceleration
    penalty: float
    mass: float
    backend: Backend


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything but the problem.

    Args:
        method: ``sinkhorn`` (balanced, entropic), ``ipot`` (proximal point), ``unbalanced`` (marginals relaxed by a
            Kullback-Leibler penalty), ``partial`` (a given mass is moved), ``exact`` (no regularisation, by POT).
        epsilon: regularisation in the cost's units; for ``ipot`` the proximal step beta.
        tolerance: L1 marginal error at which a problem counts as converged; 0 runs every sweep allowed.
        max_iterations: most sweeps, Newton steps included.
        acceleration: ``none`` (plain sweeps), ``overrelaxation`` (of ``sinkhorn`` alone), ``newton`` (Newton steps for
            the problems that 200 over-relaxed sweeps leave unconverged; after 20 sweeps of ``unbalanced`` and
            ``partial``), ``auto`` (``newton`` with a tolerance, plain without).
        penalty: rho of ``unbalanced``: the price of mass created or destroyed, in the cost's units.
        mass: total mass moved by ``partial``, at most that of either side.
        backend: ``auto`` takes the fastest that can solve the problem here.

    Raises:
        UserError: a value no solver can work with.
    """

    method: Method = "sinkhorn"
    epsilon: float = 0.1
    tolerance: float = 1e-4
    max_iterations: int = 1000
    acceleration: Acceleration = "auto"
    penalty: float = 1.0
    mass: float = 1.0
    backend: Backend = "auto"

    def __post_init__(self) -> None:
        for name, names in _NAMES.items():
            if getattr(self, name) not in names:
                raise UserError(name, f"is {getattr(self, name)!r}", f"choose from {', '.join(names)}")
        for name, (holds, advice) in _NUMBERS.items():
            value = getattr(self, name)
            if not isinstance(value, Real) or isinstance(value, bool) or not holds(value):
                raise UserError(name, f"is {value!r}", advice)

    @property
    def overrelaxed(self) -> bool:
        """Whether sweeps may be over-relaxed."""
        return self.acceleration != "none" and self.tolerance > 0

    @property
    def newton(self) -> bool:
        """Whether Newton steps may finish what the sweeps leave."""
        return self.acceleration in ("auto", "newton") and self.tolerance > 0


_NAMES = {"method": get_args(Method), "acceleration": get_args(Acceleration), "backend": get_args(Backend)}
_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "epsilon": (lambda value: 0 < value < inf, "Sinkhorn needs a finite epsilon > 0; try 0.1"),
    "tolerance": (lambda value: 0 <= value < inf, "set 0 or more, such as 1e-4"),
    "max_iterations": (lambda value: value >= 1 and int(value) == value, "set a whole number, at least 1"),
    "penalty": (lambda value: 0 < value < inf, "set a positive number, such as 1.0; balanced transport is sinkhorn"),
    "mass": (lambda value: 0 < value < inf, "set a positive mass, at most that of either side"),
}
