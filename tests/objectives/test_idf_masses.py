"""Optimal-transport distillation with masses by inverse document frequency, on sentences chosen by hand."""

import dataclasses
import math

import pytest
import torch

from optical.data.batches.batch import PairBatch
from optical.data.batches.config import MixtureConfig
from optical.data.batches.tokenise import write_tokens
from optical.errors import UserError
from optical.model.text.padding import pad
from optical.objectives.ot import Config, TransportDistillation
from optical.objectives.sum import Config as Sum
from tests.readers import FRAME, FRAMES
from tests.train.ranks import distance, finish, losses, start, train

IDF = Config(marginals="idf", tolerance=1e-6, max_iterations=1000)
# Id 5 stands in all four sources, 6 in one; id 7 in all targets.
PAIRS = [([2, 5, 6, 3], [2, 7, 3]), *[([2, 5, 3], [2, 7, 3])] * 3]
RARE, FREQUENT = math.log(5 / 2) + 1, 1.0


def vectors(ids, mask):
    """Unit vectors: ids 5 and 7 are equal, 6 is at a right angle to them."""
    table = torch.tensor([[1.0, 0.0]] * 10)
    table[6] = torch.tensor([0.0, 1.0])
    return table[ids]


def batch(sources, targets) -> PairBatch:
    return PairBatch(0, len(sources), pad(sources, FRAME), pad(targets, FRAME), torch.ones(len(sources)))


@pytest.fixture
def counted(tmp_path, id_table):
    write_tokens(tmp_path / "counted", "f" * 64, [id_table(PAIRS)], FRAMES, 4, 0)
    return tmp_path / "counted"


def objective(config, tokens, columns=("source_ids",)) -> TransportDistillation:
    built = TransportDistillation(None, config)
    built.prepare(tokens, columns)
    return built


def test_the_loss_by_hand(counted):
    # The only target takes all mass: id 5 moves its share at cost 0, id 6 at cost 1.
    found = objective(IDF, counted).losses(vectors, batch([[2, 5, 6, 3]], [[2, 7, 3]]))
    assert found.value.item() == pytest.approx(RARE / (RARE + FREQUENT), abs=1e-6)


def test_a_rare_word_has_more_mass_than_a_frequent_one_and_a_new_one_most(counted):
    found = objective(IDF, counted).alignment(vectors, batch([[2, 5, 6, 8, 3], [2, 5, 3]], [[2, 7, 3]] * 2))
    new = math.log(5) + 1
    expected = torch.tensor([FREQUENT, RARE, new]) / (FREQUENT + RARE + new)
    torch.testing.assert_close(found.source_mass[0], torch.cat([torch.zeros(1), expected, torch.zeros(1)]))
    torch.testing.assert_close(found.source_mass[1], torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))


def test_special_tokens_that_take_part_weigh_as_tokens_of_every_sentence(counted):
    kept = objective(dataclasses.replace(IDF, special_tokens="keep"), counted)
    found = kept.alignment(vectors, batch([[2, 5, 6, 3]], [[2, 7, 3]]))
    expected = torch.tensor([1.0, FREQUENT, RARE, 1.0]) / (3 + RARE)
    torch.testing.assert_close(found.source_mass[0], expected)


def test_each_side_is_counted_by_its_own_ids(tmp_path, id_table):
    turned = [(target, source) for source, target in PAIRS]
    write_tokens(tmp_path / "turned", "f" * 64, [id_table(turned)], FRAMES, 4, 0)
    # By the ids of the sources, 5 and 6 would be equally new.
    found = objective(IDF, tmp_path / "turned").losses(vectors, batch([[2, 7, 3]], [[2, 5, 6, 3]]))
    assert found.value.item() == pytest.approx(RARE / (RARE + FREQUENT), abs=1e-6)


def test_equal_frequencies_are_uniform_masses(tmp_path, id_table):
    pairs = [([2, 5, 6, 8, 3], [2, 7, 4, 3])] * 4
    write_tokens(tmp_path / "equal", "f" * 64, [id_table(pairs)], FRAMES, 4, 0)
    given = batch([[2, 5, 6, 8, 3], [2, 6, 3]], [[2, 7, 4, 3], [2, 4, 3]])
    by_idf = objective(IDF, tmp_path / "equal").alignment(vectors, given)
    uniform = objective(dataclasses.replace(IDF, marginals="uniform"), tmp_path / "equal").alignment(vectors, given)
    torch.testing.assert_close(by_idf.source_mass, uniform.source_mass, atol=1e-7, rtol=0)
    torch.testing.assert_close(by_idf.plan, uniform.plan, atol=1e-7, rtol=0)


def test_a_term_of_a_sum_counts_and_moves_as_alone(counted):
    given = batch([[2, 5, 6, 3]], [[2, 7, 3]])
    made = Sum(terms=("2*ot(marginals=idf,tolerance=1e-6,max_iterations=1000)", "pooled")).build(None)
    made.prepare(counted, ("source_ids",))
    found = made.losses(vectors, given).observed["ot_loss"]
    assert found.item() == pytest.approx(RARE / (RARE + FREQUENT), abs=1e-6)
    assert made.alignment(vectors, given).source_mass[0, 2].item() == pytest.approx(RARE / (RARE + FREQUENT))
    assert [side.device.type for side in made.to("meta").terms[0][1]._idf] == ["meta", "meta"]


def test_masses_of_an_objective_that_has_counted_nothing_are_refused():
    with pytest.raises(UserError, match="^marginal 'idf': needs weights per token"):
        TransportDistillation(None, IDF).losses(vectors, batch([[2, 5, 3]], [[2, 7, 3]]))


def test_english_that_the_student_reads_is_counted_among_its_sentences(new_job):
    job = dataclasses.replace(new_job(), objective=IDF)
    mono = dataclasses.replace(job, train=dataclasses.replace(job.train, mixture=MixtureConfig(mono_share=0.5)))
    alone, both = (one.build_objective()._idf[0] for one in (job, mono))
    assert len(both) >= len(alone)
    assert not torch.equal(both[: len(alone)], alone)


def test_parts_of_a_batch_change_nothing_but_rounding(new_job):
    whole, parts, uniform = (
        dataclasses.replace(new_job(name, epochs=2, accumulate=accumulate), objective=config)
        for name, accumulate, config in (("whole", 1, IDF), ("parts", 3, IDF), ("uniform", 1, Config()))
    )
    for job in (whole, parts, uniform):
        train(job)
    assert distance(whole, parts) < 1e-4
    assert losses(whole) == pytest.approx(losses(parts), rel=1e-4)
    assert abs(losses(whole)[0] - losses(uniform)[0]) > 1e-4


@pytest.mark.chaos
def test_two_workers_change_nothing_but_rounding(new_job):
    alone, together = (dataclasses.replace(new_job(name, epochs=2), objective=IDF) for name in ("alone", "together"))
    train(alone)
    assert finish(start(together, 2)) == [0, 0]
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    assert distance(together, alone) < 1e-3
