"""Which failures a retry can fix, and how the others reach the driver."""

import pytest

from optical.errors import DataError, NumericalError, OpticalError
from optical.train import failure
from tests.train.faults import interrupt, mistake


def met(action) -> Exception:
    with pytest.raises(Exception) as caught:
        action()
    return caught.value


def other_mistake() -> None:
    raise ZeroDivisionError("a mistake of ours")


def test_one_of_ours_is_reported_at_once_and_raised_as_it_was(tmp_path):
    assert failure.report(tmp_path, 1, 7, NumericalError("step 7", "loss is nan", "lower the rate"))
    assert failure.is_reported(tmp_path)
    with pytest.raises(NumericalError, match="^step 7: loss is nan; lower the rate$"):
        failure.raise_reported(tmp_path)


def test_the_first_report_is_believed(tmp_path):
    failure.report(tmp_path, 1, 7, DataError("a", "b", "c"))
    failure.report(tmp_path, 0, 7, NumericalError("d", "e", "f"))
    with pytest.raises(DataError):
        failure.raise_reported(tmp_path)


def test_the_same_error_at_the_same_step_twice_is_deterministic(tmp_path):
    assert not failure.report(tmp_path, 0, 7, met(mistake))
    failure.raise_reported(tmp_path)
    assert failure.report(tmp_path, 0, 7, met(mistake))
    what = r"^rank 0, step 7: failed twice in the same way \(ZeroDivisionError: a mistake of ours\); read .*, fix"
    with pytest.raises(OpticalError, match=what) as caught:
        failure.raise_reported(tmp_path)
    assert caught.value.exit_code == 1
    (crash,) = (tmp_path / "crashes").iterdir()
    assert str(crash) in str(caught.value)
    assert "in mistake" in crash.read_text()


@pytest.mark.parametrize(("rank", "step", "action"), [(1, 7, mistake), (0, 8, mistake), (0, 7, other_mistake)])
def test_another_place_is_another_failure(tmp_path, rank, step, action):
    failure.report(tmp_path, 0, 7, met(mistake))
    assert not failure.report(tmp_path, rank, step, met(action))
    assert not failure.is_reported(tmp_path)


def test_a_new_run_begins_with_a_clean_slate(tmp_path):
    failure.clear(tmp_path)
    failure.report(tmp_path, 0, 7, met(interrupt))
    failure.report(tmp_path, 0, 7, met(interrupt))
    failure.clear(tmp_path)
    assert not failure.is_reported(tmp_path)
    assert not failure.report(tmp_path, 0, 7, met(interrupt))
