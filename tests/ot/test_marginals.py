"""Marginals: proportions by hand, and what every one of them keeps."""

import pytest
import torch

from optical.errors import NumericalError, UserError
from optical.ot.marginals import MARGINALS, marginal, uniform_marginal

MASK = torch.tensor([[True, True, True, False], [False, True, False, True], [False, False, False, False]])


@pytest.mark.parametrize("name", MARGINALS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_every_marginal_is_a_distribution_over_the_real_tokens(fresh_seed, name, dtype):
    generator = torch.Generator().manual_seed(fresh_seed)
    embeddings = torch.randn(3, 4, 8, generator=generator).to(dtype).requires_grad_(True)
    weights = torch.randn(3, 4, generator=generator).relu().to(dtype).requires_grad_(True)  # some are zero
    mass = marginal(name, MASK, embeddings, weights)
    assert mass.dtype == torch.float32
    assert not mass.requires_grad
    assert (mass[~MASK] == 0).all()
    assert (mass[MASK] > 0).all()
    torch.testing.assert_close(mass.sum(1), torch.tensor([1.0, 1.0, 0.0]))


def test_uniform_mass_is_one_over_n():
    expected = torch.tensor([[1 / 3, 1 / 3, 1 / 3, 0], [0, 1 / 2, 0, 1 / 2], [0, 0, 0, 0]])
    torch.testing.assert_close(uniform_marginal(MASK), expected)
    torch.testing.assert_close(marginal("uniform", MASK), expected)


def test_mass_is_in_proportion_to_norms():
    embeddings = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [0.0, -2.0], [9.0, 9.0]]])
    mass = marginal("norm", MASK[:1], embeddings)
    torch.testing.assert_close(mass, torch.tensor([[5 / 8, 1 / 8, 2 / 8, 0]]))


@pytest.mark.parametrize("name", ["idf", "attention", "given"])
def test_mass_is_in_proportion_to_weights_and_masked_weights_may_be_anything(name):
    weights = torch.tensor([[6.0, 1.0, 1.0, torch.nan], [torch.inf, 0.0, -torch.inf, 1.0]])
    mass = marginal(name, MASK[:2], weights=weights)
    expected = torch.tensor([[6 / 8, 1 / 8, 1 / 8, 0], [0, 1e-6, 0, 1]])
    torch.testing.assert_close(mass, expected, atol=1e-9, rtol=2e-6)


def test_weights_that_are_all_zero_count_alike():
    torch.testing.assert_close(marginal("given", MASK, weights=torch.zeros(3, 4)), uniform_marginal(MASK))


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_real_weight_that_is_not_finite_is_refused_by_number(bad):
    weights = torch.ones(3, 4)
    weights[1, 3] = bad
    with pytest.raises(NumericalError, match="^marginal of problem 1: the weight of one of its tokens is not finite"):
        marginal("idf", MASK, weights=weights)
    with pytest.raises(NumericalError, match="^marginal of problem 1"):
        marginal("norm", MASK, embeddings=weights.unsqueeze(2))


def test_what_is_missing_or_unknown_is_named():
    with pytest.raises(UserError, match="^marginal 'norm': needs embeddings; pass them, or use uniform"):
        marginal("norm", MASK, weights=torch.ones(3, 4))
    with pytest.raises(UserError, match="^marginal 'idf': needs weights per token"):
        marginal("idf", MASK, embeddings=torch.ones(3, 4, 2))
    with pytest.raises(UserError, match="^marginal: is 'tfidf'; choose from uniform, norm, idf, attention, given"):
        marginal("tfidf", MASK)
