"""Ray Train starts lost workers again, and gives up on mistakes."""

import pytest

from optical.cluster import connect
from optical.errors import OpticalError
from optical.resources import Resources
from optical.train.ray import fit
from tests.train.faults import Fault, kill, mistake
from tests.train.ranks import distance, equal, losses, starts, train

pytestmark = [pytest.mark.ray, pytest.mark.chaos, pytest.mark.filterwarnings("ignore")]

PAIR = Resources(num_workers=2, min_workers=1, threads=1, max_failures=1)


@pytest.fixture(autouse=True)
def cluster():
    connect(PAIR)


def test_a_worker_killed_during_a_save_costs_one_attempt_and_no_bit(new_job, tmp_path):
    job, straight = new_job(epochs=3), new_job("straight", epochs=3)
    fault = Fault(kill, "during_save", 10, tmp_path / "faults")
    train(straight)
    fit(job, Resources(threads=1, max_failures=1), hook=fault)
    assert fault.count == 1
    assert starts(job) == [0, 0]
    assert equal(job, straight)
    assert losses(job) == losses(straight)


@pytest.mark.slow
def test_one_of_two_workers_killed_after_a_save_ends_where_one_would(new_job, tmp_path):
    job, straight = new_job(epochs=3), new_job("straight", epochs=3)
    fault = Fault(kill, "after_save", 10, tmp_path / "faults", rank=1)
    train(straight)
    fit(job, PAIR, hook=fault)
    assert fault.count == 1
    assert starts(job) == [0, 10]
    assert losses(job) == pytest.approx(losses(straight), rel=1e-3)
    assert distance(job, straight) < 1e-3


@pytest.mark.slow
def test_a_mistake_is_tried_twice_and_no_more(new_job, tmp_path):
    job, fault = new_job(epochs=3), Fault(mistake, "step", 3, tmp_path / "faults", times=9)
    with pytest.raises(OpticalError, match=r"^rank 0, step 3: failed twice in the same way \(ZeroDivisionError"):
        fit(job, Resources(threads=1, max_failures=3), hook=fault)
    assert fault.count == 2
    assert starts(job) == [0, 0]
