"""The settings of the solvers and of the transport loss. This file imports no torch."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from math import inf
from numbers import Real
from typing import ClassVar, Literal, TypedDict, get_args

from optical.errors import UserError

Method = Literal["sinkhorn", "ipot", "unbalanced", "partial", "exact"]
Acceleration = Literal["auto", "none", "overrelaxation", "newton"]
Backend = Literal["auto", "torch", "compiled", "triton"]
Cost = Literal["cosine", "squared_euclidean", "angular"]
Marginals = Literal["uniform", "norm", "idf", "attention", "given"]
Gradient = Literal["detached", "implicit", "unrolled"]
Value = Literal["transport", "regularised"]
EpsilonUnit = Literal["cost", "mean_cost"]


class Options(TypedDict, total=False):
    """The fields of ``Settings`` except the method, as keyword arguments; their defaults are those of ``Settings``."""

    epsilon: float
    tolerance: float
    max_iterations: int
    acceleration: Acceleration
    penalty: float
    mass: float
    backend: Backend


@dataclass(frozen=True, kw_only=True)
class SweepSettings:
    """How a solver's sweeps run, and when they stop.

    Raises:
        UserError: an impossible value.
    """

    epsilon: float = 0.1
    """Entropic regularisation in the cost's units (cosine distance, 0 to 2); for ``ipot`` the proximal step beta."""
    tolerance: float = 1e-4
    """Marginal error (L1) at which a problem counts as converged; 0 runs every sweep allowed."""
    max_iterations: int = 1000
    """Most sweeps, Newton steps included."""
    acceleration: Acceleration = "auto"
    """``none`` (plain sweeps), ``overrelaxation`` (``sinkhorn`` only), ``newton`` (Newton steps for the problems that
    200 over-relaxed sweeps leave unconverged; after 20 sweeps of ``unbalanced`` and ``partial``), ``auto`` (``newton``
    with a tolerance, plain without)."""
    backend: Backend = "auto"
    """The implementation; ``auto`` chooses the fastest one that can solve the problem on this machine."""

    section: ClassVar[str] = ""
    """Prefix of a field's name in an error, such as ``objective.``."""

    def __post_init__(self) -> None:
        own = {item.name: getattr(self, item.name) for item in fields(self)}
        for name, names in _NAMES.items():
            if name in own and own[name] not in names:
                raise self._fault(name, f"is {own[name]!r}", f"choose from {', '.join(names)}")
        for name, (holds, advice) in _NUMBERS.items():
            if name in own and not _is_number(own[name], holds):
                raise self._fault(name, f"is {own[name]!r}", advice)

    @property
    def overrelaxed(self) -> bool:
        """Whether sweeps may be over-relaxed."""
        return self.acceleration != "none" and self.tolerance > 0

    @property
    def newton(self) -> bool:
        """Whether Newton steps may solve the problems that sweeps leave unconverged."""
        return self.acceleration in ("auto", "newton") and self.tolerance > 0

    def _fault(self, name: str, what: str, advice: str) -> UserError:
        return UserError(f"{self.section}{name}", what, advice)


@dataclass(frozen=True, kw_only=True)
class Settings(SweepSettings):
    """How a batch of transport problems is solved.

    Raises:
        UserError: an impossible value.
    """

    method: Method = "sinkhorn"
    """How mass is moved: ``sinkhorn`` (balanced, entropic), ``ipot`` (proximal point), ``unbalanced`` (marginals
    relaxed by a Kullback-Leibler penalty), ``partial`` (a given mass is moved), ``exact`` (POT, no regularisation)."""
    penalty: float = 1.0
    """rho of ``unbalanced``: the price of mass created or destroyed, in the cost's units."""
    mass: float = 1.0
    """Total mass that ``partial`` moves, at most that of either side."""


@dataclass(frozen=True, kw_only=True)
class PairSettings(SweepSettings):
    """How the embeddings of a sentence pair become a transport problem.

    Raises:
        UserError: an impossible value.
    """

    cost: Cost = "cosine"
    """Distance between a source and a target token."""
    marginals: Marginals = "uniform"
    """Mass of each token: ``uniform``, or in proportion to its embedding's length (``norm``) or to given weights."""
    epsilon_unit: EpsilonUnit = "cost"
    """Unit of epsilon and of the penalty: ``cost`` for the cost's own, ``mean_cost`` for each pair's mean cost
    <C, a b^T>, held constant. Choose ``mean_cost`` where cosines lie close together or teachers are compared, and start
    with 0.1: for MiniLM (mean cost 0.92) it is about 0.1 in the cost's units, for multilingual-e5-small (0.25) 0.025.
    Of 0.02 to 0.5, take the value that ranks best on the dev measure."""
    order_weight: float = 0.0
    """Weight of |i/n - j/m|, which keeps the alignment near the diagonal."""


@dataclass(frozen=True, kw_only=True)
class LossSettings(PairSettings, Settings):
    """How embeddings become a problem, and how the loss depends on the embeddings.

    Raises:
        UserError: an impossible value, or two that exclude each other.
    """

    gradient: Gradient = "detached"
    """``detached`` holds the plan constant; ``implicit`` and ``unrolled`` are exact gradients of <P, C> (Sinkhorn
    only)."""
    value: Value = "transport"
    """``transport`` for <P, C>, ``regularised`` for the optimum with its KL term."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gradient != "detached" and self.value == "regularised":
            what = f"is {self.gradient!r} for the regularised value, whose detached gradient is already exact"
            raise self._fault("gradient", what, "use 'detached'")
        if self.gradient != "detached" and self.method != "sinkhorn":
            raise self._fault("gradient", f"is {self.gradient!r} for the method {self.method!r}", "use 'detached'")


_NAMES = {
    "method": get_args(Method),
    "acceleration": get_args(Acceleration),
    "backend": get_args(Backend),
    "cost": get_args(Cost),
    "marginals": get_args(Marginals),
    "gradient": get_args(Gradient),
    "value": get_args(Value),
    "epsilon_unit": get_args(EpsilonUnit),
}
_NUMBERS: dict[str, tuple[Callable[[float], bool], str]] = {
    "epsilon": (lambda value: 0 < value < inf, "set a finite number above 0, such as 0.1"),
    "tolerance": (lambda value: 0 <= value < inf, "set 0 or more, such as 1e-4"),
    "max_iterations": (lambda value: value >= 1 and int(value) == value, "set a whole number, at least 1"),
    "penalty": (lambda value: 0 < value < inf, "set a positive number, such as 1.0; balanced transport is sinkhorn"),
    "mass": (lambda value: 0 < value < inf, "set a positive mass, at most that of either side"),
    "order_weight": (lambda value: 0 <= value < inf, "set 0 or more"),
}


def _is_number(value: object, holds: Callable[[float], bool]) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and holds(float(value))
