"""The two forms of Sinkhorn's sweep: on scalings (fast), and on their logarithms (safe at any epsilon).

The entropic plan is P = diag(u) K diag(v) with the kernel K = exp((f + g - C) / epsilon) of any fixed potentials f, g.
A sweep scales the rows, u = a / K v, and then the columns, v = b / K^T u (Cuturi 2013, arXiv:1306.0895, Alg. 1): two
matrix-vector products. The log form computes log u and log v by logsumexp (Peyre and Cuturi 2019, arXiv:1803.00567,
section 4.4); it is ten times as slow, and works at any epsilon.

f and g are chosen so that the largest entry of every row and every column of K is one. Then products and scalings stay
in the range of a float if the smallest entry of K is well inside it. ``best_forms`` checks this entry and chooses for
each problem: scalings in the problem's precision, else in double precision, else logarithms.

On padding K is one, and u and v are zero, so sweeps need no mask. Over-relaxation multiplies the step of a scaling by
omega (Thibault et al. 2021, arXiv:1711.01851); the result stays within a factor of two of the plain sweep's.
"""

from copy import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor

# The smallest kernel entry may be exp(-this). Scalings have no larger range than the kernel, and every row and column
# contains a one, so scalings, and sums of scalings times kernel, stay in the range of the float.
_LOWEST = {torch.float32: 60.0, torch.float64: 500.0}
# Bound of log v at the start.
_FARTHEST = 30.0


class Form:
    """State of problems being solved: masses a and b, potentials f and g of the kernel, and its row sums K v."""

    def __init__(self, a: Tensor, b: Tensor, f: Tensor, g: Tensor, epsilon: float) -> None:
        self.a, self.b, self.f, self.g, self.epsilon = a, b, f, g, epsilon

    def sweep(self, omega: Float[Tensor, "batch 1"] | None) -> None:
        """Update rows, then columns; over-relaxed by ``omega``, if given."""
        raise NotImplementedError

    def row_error(self) -> Float[Tensor, " batch"]:
        """L1 distance of the plan's rows from a: the marginal error, if the last sweep was plain."""
        raise NotImplementedError

    def matrix(self) -> Float[Tensor, "batch source target"]:
        """The plan."""
        raise NotImplementedError

    def logarithms(self) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"]]:
        """log u and log v, -inf on padding."""
        raise NotImplementedError

    def potentials(self) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"]]:
        """f + epsilon log u and g + epsilon log v in double precision, -inf on padding."""
        log_u, log_v = (side.double() for side in self.logarithms())
        return self.f + self.epsilon * log_u, self.g + self.epsilon * log_v

    def rows(self, index: Tensor) -> "Form":
        """The problems at ``index``."""
        part = copy(self)
        for name, value in vars(self).items():
            if isinstance(value, Tensor):
                setattr(part, name, value[index])
        return part


class Scalings(Form):
    """Sweeps on u and v.

    All vectors are rows, (batch, 1, tokens): products of rows with matrices are several times faster than products of
    matrices with columns, and on small problems a view of a tensor takes as long as the division of a sweep.
    """

    def __init__(
        self, scores: Tensor, log_v: Tensor, a: Tensor, b: Tensor, f: Tensor, g: Tensor, epsilon: float
    ) -> None:
        super().__init__(a, b, f, g, epsilon)
        self.kernel = scores.exp()
        self.transposed = self.kernel.transpose(1, 2).contiguous()
        self.left, self.right = self.a.unsqueeze(1), self.b.unsqueeze(1)
        self.u, self.v = torch.zeros_like(self.left), log_v.exp().unsqueeze(1)
        self.row_sums = torch.bmm(self.v, self.transposed)

    def sweep(self, omega: Float[Tensor, "batch 1"] | None) -> None:  # noqa: D102
        self.u = _relaxed(self.u, self.left / self.row_sums, omega)
        self.v = _relaxed(self.v, self.right / torch.bmm(self.u, self.kernel), omega)
        self.row_sums = torch.bmm(self.v, self.transposed)

    def row_error(self) -> Float[Tensor, " batch"]:  # noqa: D102
        return (self.u * self.row_sums - self.left).abs().sum((1, 2))

    def matrix(self) -> Float[Tensor, "batch source target"]:  # noqa: D102
        return self.kernel * self.u.transpose(1, 2) * self.v

    def logarithms(self) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"]]:  # noqa: D102
        return self.u.squeeze(1).log(), self.v.squeeze(1).log()


class Logarithms(Form):
    """Sweeps on log u and log v."""

    def __init__(
        self, scores: Tensor, log_v: Tensor, a: Tensor, b: Tensor, f: Tensor, g: Tensor, epsilon: float
    ) -> None:
        super().__init__(a, b, f, g, epsilon)
        self.scores, self.log_a, self.log_b = scores, self.a.log(), self.b.log()
        self.log_u, self.log_v = torch.full_like(self.a, -torch.inf), log_v
        self.row_sums = torch.logsumexp(scores + log_v.unsqueeze(1), 2)

    def sweep(self, omega: Float[Tensor, "batch 1"] | None) -> None:  # noqa: D102
        self.log_u = _log_relaxed(self.log_u, self.log_a - self.row_sums, omega)
        sums = torch.logsumexp(self.scores + self.log_u.unsqueeze(2), 1)
        self.log_v = _log_relaxed(self.log_v, self.log_b - sums, omega)
        self.row_sums = torch.logsumexp(self.scores + self.log_v.unsqueeze(1), 2)

    def row_error(self) -> Float[Tensor, " batch"]:  # noqa: D102
        return ((self.log_u + self.row_sums).exp() - self.a).abs().sum(1)

    def matrix(self) -> Float[Tensor, "batch source target"]:  # noqa: D102
        return (self.scores + self.log_u.unsqueeze(2) + self.log_v.unsqueeze(1)).exp()

    def logarithms(self) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"]]:  # noqa: D102
        return self.log_u, self.log_v


def best_forms(
    cost: Float[Tensor, "batch source target"],
    a: Float[Tensor, "batch source"],
    b: Float[Tensor, "batch target"],
    epsilon: float,
    start: Float[Tensor, "batch target"] | None = None,
) -> list[tuple[Int[Tensor, " chosen"], Form]]:
    """The fastest safe form of every problem, as pairs of the positions of some problems and their form.

    Args:
        cost: values on padding are ignored.
        a: source masses, zero on padding.
        b: target masses, zero on padding.
        epsilon: regularisation in the cost's units.
        start: target potentials to start from.
    """
    padding = (a == 0).unsqueeze(2) | (b == 0).unsqueeze(1)
    cost = cost.masked_fill(padding, torch.inf)
    f, g, log_v = _start(cost, a, b, epsilon, start)
    scores = torch.sub(f.unsqueeze(2), cost).add_(g.unsqueeze(1)).div_(epsilon).masked_fill_(padding, 0)
    safe = scores.amin((1, 2)) >= -_LOWEST[cost.dtype]
    every = torch.arange(len(cost), device=cost.device)
    if safe.all():
        return [(every, Scalings(scores, log_v, a, b, f, g, epsilon))]
    parts = scores, log_v, a, b, f, g
    rest = every[~safe]
    forms: list[tuple[Tensor, Form]] = [(every[safe], _form(Scalings, parts, safe, epsilon))]
    if cost.dtype == torch.float64:
        return [*forms, (rest, _form(Logarithms, parts, rest, epsilon))]
    double_cost, double_a, double_b = (part[rest].double() for part in (cost, a, b))
    others = best_forms(double_cost, double_a, double_b, epsilon, None if start is None else start[rest])
    return [*forms, *((rest[index], form) for index, form in others)]


def _form(kind: type[Scalings] | type[Logarithms], parts: tuple[Tensor, ...], index: Tensor, epsilon: float) -> Form:
    scores, log_v, a, b, f, g = (part[index] for part in parts)
    return kind(scores, log_v, a, b, f, g, epsilon)


def _start(cost: Tensor, a: Tensor, b: Tensor, epsilon: float, start: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
    """Potentials with which each row and column of the kernel contains a one, and the first log v (-inf on padding)."""
    if start is None:
        f = cost.amin(2).masked_fill(a == 0, 0)
    else:
        start = start.to(cost.dtype).masked_fill(b == 0, 0)
        f = (cost - start.unsqueeze(1)).amin(2).masked_fill(a == 0, 0)
    g = (cost - f.unsqueeze(2)).amin(1).masked_fill(b == 0, 0)
    log_v = torch.zeros_like(g) if start is None else ((start - g) / epsilon).clamp(-_FARTHEST, _FARTHEST)
    return f, g, log_v.masked_fill(b == 0, -torch.inf)


def _relaxed(old: Tensor, new: Tensor, omega: Tensor | None) -> Tensor:
    if omega is None:
        return new
    return torch.lerp(old, new, omega.unsqueeze(2).to(new.dtype)).clamp(new / 2, new * 2)


def _log_relaxed(old: Tensor, new: Tensor, omega: Tensor | None) -> Tensor:
    if omega is None:
        return new
    ratio = (old - new).nan_to_num(nan=0.0).exp()
    return new + (omega - (omega - 1) * ratio).clamp(0.5, 2).log()
