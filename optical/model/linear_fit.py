"""Linear fits of one set of vectors to another from sums of products, so that the vectors are never held together."""

import torch
from jaxtyping import Float
from torch import Tensor

from optical.errors import NumericalError, require

RIDGE = 1e-3
"""Penalty of the ridge regression, as a part of the mean square of the student's vectors in one dimension."""


class NormalEquations:
    """Weighted sums of products over aligned pairs of vectors, in float64: all that a linear fit needs.

    Args:
        width: dimension of the student's vectors.
        dim: dimension of the teacher's vectors.
    """

    def __init__(self, width: int, dim: int) -> None:
        self.weight = 0.0
        self.tokens = 0
        self.gram = torch.zeros(width, width, dtype=torch.float64)
        self.cross = torch.zeros(width, dim, dtype=torch.float64)
        self.student_sum = torch.zeros(width, dtype=torch.float64)
        self.teacher_sum = torch.zeros(dim, dtype=torch.float64)

    def add(
        self,
        student: Float[Tensor, "batch source width"],
        teacher: Float[Tensor, "batch target dim"],
        weights: Float[Tensor, "batch source target"],
    ) -> None:
        """Add the pairs of a batch; a pair of weight 0 adds nothing."""
        mass = weights.double().sum(2)
        source, target = student.double(), teacher.double()
        aimed = weights.double() @ target
        flat, flat_mass = source.flatten(0, 1), mass.flatten()
        self.gram += flat.T @ (flat * flat_mass.unsqueeze(1))
        self.cross += flat.T @ aimed.flatten(0, 1)
        self.student_sum += flat_mass @ flat
        self.teacher_sum += aimed.sum((0, 1))
        self.weight += float(flat_mass.sum())
        self.tokens += int((flat_mass > 0).sum())


def ridge(
    equations: NormalEquations, penalty: float = RIDGE, bias: bool = True
) -> tuple[Float[Tensor, "dim width"], Float[Tensor, " dim"] | None]:
    """The matrix, and the bias, with the least weighted squared error plus a penalty on the matrix (Hoerl 1970).

    Args:
        equations: sums over aligned pairs.
        penalty: of the squared norm of the matrix, as a part of the mean square of the student's vectors in one
            dimension; 0 is plain least squares.
        bias: whether there is one; it is not penalised.

    Raises:
        UserError: the penalty is negative.
        NumericalError: the pairs do not determine the matrix, or a vector is not finite.
    """
    _require_finite(equations)
    require(0 <= penalty < float("inf"), "penalty", f"is {penalty}", "set 0 or a positive number")
    student, teacher = equations.student_sum / equations.weight, equations.teacher_sum / equations.weight
    gram, cross = equations.gram / equations.weight, equations.cross / equations.weight
    if bias:
        gram, cross = gram - torch.outer(student, student), cross - torch.outer(student, teacher)
    scale = gram.diagonal().mean()
    weight, failed = torch.linalg.solve_ex(gram + penalty * scale * torch.eye(len(gram), dtype=gram.dtype), cross)
    if int(failed) or not weight.isfinite().all():
        what = f"{equations.tokens} aligned tokens do not determine a matrix of {len(gram)} columns"
        raise NumericalError("alignment", what, "give more sentences, or a larger penalty")
    return weight.T.contiguous(), teacher - weight.T @ student if bias else None


def procrustes(equations: NormalEquations) -> Float[Tensor, "dim width"]:
    """The matrix with orthonormal rows (columns, if the teacher's dimension is larger) with the largest sum of products
    of mapped student vectors and teacher vectors: the orthogonal Procrustes problem (Schoenemann 1966).

    Raises:
        NumericalError: a vector is not finite.
    """
    _require_finite(equations)
    left, _, right = torch.linalg.svd(equations.cross.T, full_matrices=False)
    return left @ right


def _require_finite(equations: NormalEquations) -> None:
    if not (equations.gram.isfinite().all() and equations.cross.isfinite().all()):
        raise NumericalError("alignment", "a token vector is not finite", "check the weights of both encoders")
