"""The schedule: a pure function of (pairs, configuration, seed, step)."""

import dataclasses

import numpy as np
import pyarrow as pa
import pytest

from optical.config import TrainConfig
from optical.data.batches import _WINDOW_BATCHES, Schedule
from optical.data.tokens import TokenPairs
from optical.errors import UserError

CONFIG = TrainConfig(epochs=3, batch_pairs=4, batch_tokens=60, source_length=12, target_length=10, seed=5)
NUM_PAIRS = 3 * _WINDOW_BATCHES * CONFIG.batch_pairs // 2  # one window and a half


@pytest.fixture(scope="module")
def pairs():
    draw = np.random.default_rng(0)
    columns = [[[1] * length for length in draw.integers(3, 20, NUM_PAIRS)] for _ in range(2)]
    return TokenPairs(*(pa.array(column, pa.list_(pa.int32())) for column in columns))


def plain(schedule: Schedule) -> list[list[int]]:
    return [schedule.batch(step).tolist() for step in range(schedule.num_steps)]


def test_two_schedules_are_equal(pairs):
    assert plain(Schedule(pairs, CONFIG)) == plain(Schedule(pairs, CONFIG))


def test_a_step_can_be_asked_for_alone_and_in_any_order(pairs):
    everything = plain(Schedule(pairs, CONFIG))
    for step in reversed(range(0, len(everything), 17)):
        assert Schedule(pairs, CONFIG).batch(step).tolist() == everything[step]


def test_every_pair_exactly_once_per_epoch(pairs):
    schedule = Schedule(pairs, CONFIG)
    sizes = [len(schedule.epoch(epoch)) for epoch in range(CONFIG.epochs)]
    assert schedule.num_steps == sum(sizes)
    steps, start = plain(schedule), 0
    for size in sizes:
        epoch = [position for batch in steps[start : start + size] for position in batch]
        assert sorted(epoch) == list(range(NUM_PAIRS))
        start += size


def test_epochs_and_seeds_differ(pairs):
    schedule, other = Schedule(pairs, CONFIG), Schedule(pairs, dataclasses.replace(CONFIG, seed=6))
    epochs = [schedule.epoch(0), schedule.epoch(1), schedule.epoch(2), other.epoch(0)]
    orders = {tuple(position for batch in epoch for position in batch) for epoch in epochs}
    assert len(orders) == 4


def test_an_epoch_does_not_depend_on_how_many_follow(pairs):
    longer = dataclasses.replace(CONFIG, epochs=7)
    short = plain(Schedule(pairs, CONFIG))
    assert plain(Schedule(pairs, longer))[: len(short)] == short


def test_both_budgets_hold_and_both_are_met(pairs):
    source = np.minimum(pairs.source_lengths, CONFIG.source_length)
    target = np.minimum(pairs.target_lengths, CONFIG.target_length)
    sizes, areas = [], []
    for batch in Schedule(pairs, CONFIG).epoch(0):
        sizes.append(len(batch))
        areas.append(len(batch) * (source[batch].max() + target[batch].max()))
    assert max(sizes) == CONFIG.batch_pairs
    assert 0 < min(sizes) < CONFIG.batch_pairs
    assert CONFIG.batch_tokens * 0.8 < max(areas) <= CONFIG.batch_tokens


def test_a_budget_smaller_than_one_pair_is_refused():
    with pytest.raises(UserError, match=r"train\.batch_tokens"):
        dataclasses.replace(CONFIG, batch_tokens=CONFIG.source_length + CONFIG.target_length - 1)


def test_batches_of_alike_lengths_follow_in_no_order_of_length(pairs):
    source = np.minimum(pairs.source_lengths, CONFIG.source_length)
    lengths = source + np.minimum(pairs.target_lengths, CONFIG.target_length)
    batches = Schedule(pairs, CONFIG).epoch(0)
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])
    assert spread < np.ptp(lengths) / 10
    means = np.array([lengths[batch].mean() for batch in batches])
    assert abs(np.corrcoef(means, np.arange(len(means)))[0, 1]) < 0.3
