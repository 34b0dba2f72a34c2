"""The dev measures by hand."""

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from optical.data.batches.batch import PairBatch
from optical.train import dev
from optical.train.dev import dev_measures
from tests.readers import tokens_of


class Table(torch.nn.Module):
    """An encoder whose embedding of a token is its row in a table."""

    def __init__(self, rows: list[list[float]]) -> None:
        super().__init__()
        self.rows = torch.tensor(rows)

    def forward(self, ids, mask):
        return self.rows[ids]


@pytest.fixture
def batch() -> PairBatch:
    ids = torch.tensor([[1], [2], [3]])
    return PairBatch(0, 3, tokens_of(ids), tokens_of(ids), torch.ones(3))


TARGETS = Table([[0, 0, 0], [1.0, 0, 0], [0, 1.0, 0], [0, 0, 1.0]])


def test_ranks_one_two_and_three(batch):
    student = Table([[0, 0, 0], [0.9, 0.3, 0.1], [0.8, 0.5, 0.1], [0.7, 0.6, 0.2]])
    assert dev_measures(student, TARGETS, batch)["dev_mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)


def test_a_perfect_student_has_one(batch):
    assert dev_measures(TARGETS, TARGETS, batch)["dev_mrr"] == 1.0


@pytest.mark.parametrize("chunk", [1, 2])
def test_the_chunk_size_does_not_matter(batch, chunk):
    student = Table([[0, 0, 0], [0.9, 0.3, 0.1], [0.8, 0.5, 0.1], [0.7, 0.6, 0.2]])
    whole = dev_measures(student, TARGETS, batch)["dev_mrr"]
    assert dev_measures(student, TARGETS, batch, chunk)["dev_mrr"] == pytest.approx(whole)


def test_the_student_goes_back_to_training(batch):
    student = Table([[0.5, 0, 0]] * 4)
    dev_measures(student.train(), TARGETS, batch)
    assert student.training


@pytest.mark.parametrize("value", [0.5, float("nan")])
def test_a_collapsed_student_has_found_nothing(batch, value):
    found = dev_measures(Table([[value] * 3] * 4), TARGETS, batch)
    assert found["dev_mrr"] < 0.5
    assert found["dev_spearman"] == 0.0


def test_one_collapsed_sentence_counts_nothing_among_the_others():
    teacher = torch.rand(4, 4, generator=torch.Generator().manual_seed(0))
    student = teacher.clone()
    student[0, 1] = torch.nan
    assert dev._spearman(student, teacher) == pytest.approx(0.75)


def test_spearman_of_score_lists_by_hand():
    teacher = torch.tensor([[9.0, 3, 2, 1], [3, 9, 2, 1], [3, 2, 9, 1], [3, 2, 1, 9]])
    assert dev._spearman(teacher, teacher) == pytest.approx(1.0)
    student = teacher.clone()
    student[0] = torch.tensor([0.0, 1, 2, 3])  # the others in the reverse order: -1
    student[1] = torch.tensor([2.0, 0, 3, 1])  # ranks 2 3 1 for 3 2 1: 1 - 6 * 2 / (3 * 8) = 0.5
    assert dev._spearman(student, teacher) == pytest.approx((-1 + 0.5 + 1 + 1) / 4)


def test_spearman_is_scipys_with_ties():
    student, teacher = torch.randint(0, 4, (2, 9, 9), generator=torch.Generator().manual_seed(1)).double()
    apart = [[np.delete(row, number) for number, row in enumerate(scores.numpy())] for scores in (student, teacher)]
    expected = np.mean([spearmanr(one, other).statistic for one, other in zip(*apart, strict=True)])
    assert dev._spearman(student, teacher) == pytest.approx(expected)
