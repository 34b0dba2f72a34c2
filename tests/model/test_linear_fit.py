"""Linear fits from sums of products, against numpy and scipy on all vectors at once."""

import numpy as np
import pytest
import scipy.linalg
import torch

from optical.errors import NumericalError, UserError
from optical.model.linear_fit import NormalEquations, procrustes, ridge


def drawn(width: int = 5, dim: int = 3, batch: int = 4, seed: int = 0) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(seed)
    student = torch.randn(batch, 6, width, generator=draw) + 0.3
    teacher = torch.randn(batch, 7, dim, generator=draw) - 0.2
    weights = torch.rand(batch, 6, 7, generator=draw, dtype=torch.float64)
    return student, teacher, weights * (weights > 0.6)


def gathered(student: torch.Tensor, teacher: torch.Tensor, weights: torch.Tensor) -> tuple[np.ndarray, ...]:
    """The two vectors of every pair, each times the square root of the pair's weight; and the root itself."""
    batch, source, target = torch.nonzero(weights, as_tuple=True)
    root = weights[batch, source, target].sqrt().unsqueeze(1)
    return tuple(
        part.numpy() for part in (student[batch, source].double() * root, teacher[batch, target].double() * root, root)
    )


def summed(*parts: torch.Tensor, at_once: int = 2) -> NormalEquations:
    equations = NormalEquations(parts[0].shape[2], parts[1].shape[2])
    for start in range(0, len(parts[0]), at_once):
        equations.add(*(part[start : start + at_once] for part in parts))
    return equations


def test_least_squares_is_that_of_numpy():
    parts = drawn()
    ours, theirs, root = gathered(*parts)
    weight, bias = ridge(summed(*parts), penalty=0.0, bias=False)
    assert bias is None
    np.testing.assert_allclose(weight, np.linalg.lstsq(ours, theirs)[0].T, atol=1e-10)
    weight, bias = ridge(summed(*parts), penalty=0.0)
    expected = np.linalg.lstsq(np.hstack([ours, root]), theirs)[0].T
    np.testing.assert_allclose(np.hstack([weight, bias[:, None]]), expected, atol=1e-10)


@pytest.mark.parametrize("bias", [False, True])
def test_the_penalty_is_a_part_of_the_mean_square(bias: bool):
    parts = drawn()
    ours, theirs, root = gathered(*parts)
    if bias:
        mass = (root**2).sum()
        ours, theirs = (part - root * ((root * part).sum(0) / mass) for part in (ours, theirs))
    extra = np.sqrt(0.25 * (ours**2).sum() / ours.shape[1]) * np.eye(ours.shape[1])
    expected = np.linalg.lstsq(np.vstack([ours, extra]), np.vstack([theirs, np.zeros((5, 3))]))[0].T
    np.testing.assert_allclose(ridge(summed(*parts), penalty=0.25, bias=bias)[0], expected, atol=1e-10)
    times_ten = (parts[0] * 10, *parts[1:])
    np.testing.assert_allclose(ridge(summed(*times_ten), penalty=0.25, bias=bias)[0] * 10, expected, atol=1e-8)


@pytest.mark.parametrize(("width", "dim"), [(4, 4), (6, 3), (3, 6)])
def test_procrustes_is_that_of_scipy_and_orthogonal(width: int, dim: int):
    parts = drawn(width, dim, batch=8)
    found = procrustes(summed(*parts)).numpy()
    ours, theirs, _ = gathered(*parts)
    if width == dim:
        np.testing.assert_allclose(found, scipy.linalg.orthogonal_procrustes(ours, theirs)[0].T, atol=1e-10)
    short = found @ found.T if dim <= width else found.T @ found
    np.testing.assert_allclose(short, np.eye(min(width, dim)), atol=1e-12)
    # No other orthonormal matrix reaches a larger sum of products.
    best = np.sum(ours @ found.T * theirs)
    for seed in range(20):
        other = np.linalg.qr(np.random.default_rng(seed).standard_normal((max(dim, width), min(dim, width))))[0]
        assert np.sum(ours @ (other if dim <= width else other.T) * theirs) < best


def test_the_batches_decide_nothing():
    parts = drawn()
    one, all_at_once = summed(*parts, at_once=1), summed(*parts, at_once=4)
    torch.testing.assert_close(one.gram, all_at_once.gram)
    torch.testing.assert_close(one.cross, all_at_once.cross)
    assert one.tokens == all_at_once.tokens == int((parts[2].sum(2) > 0).sum())
    assert one.weight == pytest.approx(float(parts[2].sum()))


def test_too_few_pairs_and_broken_vectors_are_refused():
    student, teacher, weights = drawn(batch=1)
    weights[:, 2:] = 0.0
    with pytest.raises(NumericalError, match="2 aligned tokens do not determine a matrix of 5 columns"):
        ridge(summed(student * 0, teacher, weights), penalty=0.0)
    assert ridge(summed(student, teacher, weights), penalty=0.1)[0].isfinite().all()
    with pytest.raises(UserError, match="penalty: is -1"):
        ridge(summed(student, teacher, weights), penalty=-1.0)
    student[0, 0, 0] = torch.nan
    for fit in (ridge, procrustes):
        with pytest.raises(NumericalError, match="a token vector is not finite"):
            fit(summed(student, teacher, weights))
