"""Checks of arguments to ``optical.ot``: first types, shapes and devices, then masses, costs and embeddings.

The compiled kernel works on raw addresses, so types and shapes are checked before it is called. The kernel checks the
values that it reads, and gives a problem with invalid masses, costs or embeddings the cost NaN. Only then do the checks
here search for the cause and report it. The other solvers run after these checks.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from optical.errors import NotFiniteError, UserError

HALF = frozenset((torch.float16, torch.bfloat16))
_FULL = (torch.float32, torch.float64)
# Rounding changes sums of masses in single precision, and the norms of bfloat16 embeddings by half a per cent.
SUM_ROUNDING = 1e-5
_NORM_ROUNDING = 0.01
_NORMALISE = "normalise the embeddings, as in torch.nn.functional.normalize(x, dim=-1), or choose another cost"


def arguments(given: Mapping[str, object], dimensions: Mapping[str, str]) -> None:
    """Refuse arguments that are not tensors of these dimensions, or whose sizes or devices differ.

    Args:
        given: each argument by its name; None for an omitted one.
        dimensions: the names of its dimensions, in order; equal names mean equal sizes.

    Raises:
        UserError: names the argument and the rule.
    """
    sizes: dict[str, tuple[int, str]] = {}
    first, device = "", None
    for name, argument in given.items():
        if argument is None:
            continue
        axes = dimensions[name].split()
        value = _tensor(name, argument, axes)
        first, device = first or name, device or value.device
        if value.device != device:
            what = f"is on {value.device}, and {first} is on {device}"
            raise UserError(name, what, "move both to one device")
        for axis, size in zip(axes, value.shape, strict=True):
            expected, owner = sizes.setdefault(axis, (size, name))
            if expected != size:
                what = f"has shape {_shape(value)}, {size} in its dimension {axis!r}, where {owner} has {expected}"
                raise UserError(name, what, f"make {owner} and {name} agree")


def _tensor(name: str, value: object, axes: list[str]) -> Tensor:
    if not isinstance(value, Tensor):
        raise UserError(name, f"is a {type(value).__module__}.{type(value).__name__}", "give a torch tensor")
    if value.ndim != len(axes):
        what = f"has shape {_shape(value)}, and must have {len(axes)} dimensions ({', '.join(axes)})"
        advice = "make a batch of one with unsqueeze(0)" if value.ndim == len(axes) - 1 else "give one batch"
        raise UserError(name, what, advice)
    if name.endswith("_mask"):
        if value.dtype != torch.bool:
            raise UserError(name, f"is {value.dtype}, and a mask is boolean", f"give {name}.bool()")
    elif value.dtype not in (*_FULL, *HALF):
        raise UserError(name, f"is {value.dtype}", "give float32 or float64 (half precision is widened to float32)")
    return value


def one_precision(given: dict[str, Tensor]) -> None:
    """Refuse tensors of different precision.

    Raises:
        UserError: names two of them.
    """
    (first, reference), *others = given.items()
    for name, value in others:
        if value.dtype != reference.dtype:
            what = f"is {value.dtype}, and {first} is {reference.dtype}"
            raise UserError(name, what, "convert them to one precision")


def is_consistent(cost: object, a: object, b: object) -> bool:
    """Whether these are costs and masses of one batch, in one full precision, on one device: the usual case."""
    return (
        isinstance(cost, Tensor)
        and isinstance(a, Tensor)
        and isinstance(b, Tensor)
        and a.ndim == b.ndim == 2
        and cost.shape == (*a.shape, b.shape[1])
        and len(a) == len(b)
        and cost.dtype == a.dtype == b.dtype
        and cost.dtype in _FULL
        and cost.device == a.device == b.device
    )


def masses(a: Tensor, b: Tensor) -> None:
    """Refuse masses that are negative or not finite, and problems with an empty side.

    Raises:
        UserError: names the argument and the problem.
    """
    for name, side, mass in (("a", "source", a), ("b", "target", b)):
        for what, invalid in (("is not finite", ~mass.isfinite()), ("is negative", mass < 0)):
            if invalid.any():
                row, token = invalid.nonzero()[0].tolist()
                value = f"the mass of its token {token} {what} ({float(mass[row, token])})"
                raise UserError(f"{name}, problem {row}", value, "give masses of 0 (padding) or more")
        for row in (mass.sum(1) <= 0).nonzero().flatten().tolist():
            raise UserError(f"problem {row}", f"its {side} side has no mass", "drop pairs with an empty side")


def balance(a: Tensor, b: Tensor, tolerance: float) -> None:
    """Refuse problems whose sides differ in mass (never converge) or have no more mass than the tolerance (always do).

    Args:
        a: (batch, source) masses.
        b: (batch, target) masses.
        tolerance: the requested marginal error; in double precision the sums must agree within it.

    Raises:
        UserError: names the problem and both masses.
    """
    source, target = a.sum(1), b.sum(1)
    double = a.dtype == torch.float64 and tolerance > 0
    allowed = min(SUM_ROUNDING, tolerance) if double else SUM_ROUNDING
    for row in ((source - target).abs() > allowed * source).nonzero().flatten().tolist():
        what = f"its sides have masses {float(source[row]):.8g} and {float(target[row]):.8g}, and all mass is moved"
        raise UserError(f"problem {row}", what, "normalise the marginals, or use unbalanced or partial")
    for row in (torch.minimum(source, target) <= tolerance).nonzero().flatten().tolist():
        what = f"is {tolerance}, and problem {row} has a mass of {float(source[row]):.3g}, so any plan is within it"
        raise UserError("tolerance", what, "normalise the marginals, or set a small fraction of the mass")


def costs(cost: Tensor, a: Tensor, b: Tensor) -> bool:
    """Refuse costs that are NaN or -inf between real tokens, and tokens whose costs are all infinite.

    Returns:
        Whether some cost between real tokens is infinite; such cells carry no mass.

    Raises:
        UserError: names the problem and the cell or token.
    """
    real = (a > 0).unsqueeze(2) & (b > 0).unsqueeze(1)
    infinite = ~cost.isfinite() & real
    if not infinite.any():
        return False
    invalid = infinite & ~torch.isposinf(cost)
    if invalid.any():
        row, i, j = invalid.nonzero()[0].tolist()
        what = f"the cost of its cell ({i}, {j}) is {float(cost[row, i, j])}"
        raise NotFiniteError(f"cost, problem {row}", what, "give finite costs, or +inf for a cell that no plan may use")
    for side, mass, axis in (("source", a, 2), ("target", b, 1)):
        isolated = ((mass > 0) & ~(real & ~infinite).any(axis)).nonzero()
        if len(isolated):
            row, token = isolated[0].tolist()
            what = f"every cost of its {side} token {token} is infinite, so its mass cannot be moved"
            raise UserError(f"cost, problem {row}", what, "make one of its costs finite, or give it no mass")
    return True


def embeddings(name: str, side: Tensor, mask: Tensor, unit: bool) -> None:
    """Refuse embeddings of real tokens that are not finite or, if ``unit``, not of length one within 1 %.

    Raises:
        UserError: names the argument, the pair and the token.
    """
    if not mask.any():
        return
    norms = torch.linalg.vector_norm(side.detach(), dim=2, dtype=torch.promote_types(side.dtype, torch.float32))
    least, largest = (float(bound) for bound in torch.aminmax(norms.masked_fill(~mask, 1)))
    # A comparison with NaN is false, and a single NaN makes both bounds NaN.
    valid = (least >= 1 - _NORM_ROUNDING and largest <= 1 + _NORM_ROUNDING) if unit else largest < math.inf
    if not valid:
        _refuse_embedding(name, norms, mask, unit)


def near_unit(*deviations: Tensor) -> bool:
    """Whether embeddings whose squared lengths deviate this much from one are L2-normalised up to rounding."""
    return all(float(deviation.amax()) <= 2 * _NORM_ROUNDING for deviation in deviations if len(deviation))


def _refuse_embedding(name: str, norms: Tensor, mask: Tensor, unit: bool) -> None:
    invalid = ~((norms - 1).abs() <= _NORM_ROUNDING) if unit else ~norms.isfinite()
    for row, token in (invalid & mask).nonzero()[:1].tolist():
        where, length = f"{name}, pair {row}", float(norms[row, token])
        if not math.isfinite(length):
            what = f"the embedding of its token {token} is not finite"
            raise NotFiniteError(where, what, "check for overflow or a diverged encoder")
        what = f"the embedding of its token {token} has length {length:.4g}, and the cost needs L2-normalised ones"
        raise UserError(where, what, _NORMALISE)


def _shape(value: Tensor) -> str:
    return f"({', '.join(map(str, value.shape))})"
