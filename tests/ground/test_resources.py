"""What a run may ask for."""

import pytest

from optical.errors import UserError
from optical.recipe import ScratchConfig
from optical.resources import Resources
from optical.train.config import TrainConfig


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"num_workers": 0}, "num_workers: is 0; set 1 or more"),
        ({"min_workers": -1}, "min_workers: is -1; set 0 or more"),
        ({"threads": -1}, "threads: is -1; set 0 or more"),
        ({"max_failures": -1}, "max_failures: is -1; set 0 or more"),
        ({"rank_timeout": 0}, "rank_timeout: is 0 seconds; set 1 or more"),
        (
            {"num_workers": 2, "min_workers": 3},
            "min_workers: is 3, and num_workers is 2; set at most num_workers, or 0",
        ),
    ],
)
def test_the_impossible_is_refused(fields, said):
    with pytest.raises(UserError) as caught:
        Resources(**fields)
    assert str(caught.value) == said


def test_all_workers_are_waited_for_unless_fewer_will_do():
    assert Resources(num_workers=4).fewest_workers == 4
    assert Resources(num_workers=4, min_workers=2).fewest_workers == 2


def test_a_teacher_trains_on_whole_batches():
    with pytest.raises(
        UserError, match=r"^teacher.scratch.train.accumulate: is 2, and the objective contrastive .*; set 1$"
    ):
        ScratchConfig(pairs=("toy",), train=TrainConfig(accumulate=2))


def test_a_batch_has_one_part_at_least():
    with pytest.raises(UserError, match=r"^train.accumulate: is 0; set a positive number$"):
        TrainConfig(accumulate=0)
