"""MaxSim against two plain loops."""

import pytest
import torch

from optical.model.maxsim import maxsim


def unit(*shape: int, seed: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def by_loops(queries, query_lengths, documents, document_lengths) -> torch.Tensor:
    scores = torch.zeros(len(queries), len(documents))
    for q, n in enumerate(query_lengths):
        for d, m in enumerate(document_lengths):
            scores[q, d] = sum(max(float(queries[q, i] @ documents[d, j]) for j in range(m)) for i in range(n))
    return scores


@pytest.mark.parametrize("seed", range(4))
def test_maxsim_equals_two_loops(seed):
    queries, documents = unit(3, 5, 4, seed=seed), unit(6, 7, 4, seed=seed + 100)
    query_lengths, document_lengths = [5, 2, 1], [7, 1, 3, 2, 6, 4]
    query_mask = torch.arange(5) < torch.tensor(query_lengths).unsqueeze(1)
    document_mask = torch.arange(7) < torch.tensor(document_lengths).unsqueeze(1)
    scores = maxsim(queries, query_mask, documents, document_mask)
    torch.testing.assert_close(scores, by_loops(queries, query_lengths, documents, document_lengths))


def test_padding_does_not_beat_a_negative_similarity():
    query = torch.tensor([[[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]])
    document = torch.tensor([[[-0.6, -0.8], [0.0, 0.0], [1.0, 0.0]]])
    score = maxsim(query, torch.tensor([[True, True, False]]), document, torch.tensor([[True, False, False]]))
    torch.testing.assert_close(score, torch.tensor([[-1.4]]))


def test_a_masked_token_gets_no_gradient_and_the_best_one_all_of_it():
    query = torch.tensor([[[1.0, 0.0], [0.6, 0.8]]], requires_grad=True)
    document = torch.tensor([[[0.8, 0.6], [0.0, 1.0], [1.0, 0.0]]], requires_grad=True)
    maxsim(query, torch.tensor([[True, False]]), document, torch.tensor([[True, True, False]])).sum().backward()
    torch.testing.assert_close(query.grad, torch.tensor([[[0.8, 0.6], [0.0, 0.0]]]))
    torch.testing.assert_close(document.grad, torch.tensor([[[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]]))
