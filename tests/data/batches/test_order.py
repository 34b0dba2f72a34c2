"""The order: every pair once a pass, exact quotas, and each window with every data set's share."""

import numpy as np
import pytest

from optical.data.batches.config import MixtureConfig
from optical.data.batches.schedule import Order, quotas
from optical.errors import UserError

GROUPS = np.array([7, 7, 3, 7, 2])
STARTS = np.concatenate([[0], np.cumsum(GROUPS)])


def order(quota=None, dataset=(0, 0, 0, 0, 0), seed=5, window_pairs=9) -> Order:
    dataset = np.array(dataset)
    quota = np.bincount(dataset, weights=GROUPS).astype(int) if quota is None else np.array(quota)
    return Order(STARTS, dataset, quota, seed, window_pairs)


def epoch(one: Order, number: int) -> np.ndarray:
    return np.concatenate([one.window(number, window) for window in range(one.num_windows)])


@pytest.mark.parametrize("number", [0, 1, 6])
def test_an_epoch_of_one_data_set_is_a_permutation(number):
    assert order().num_windows == 3
    assert sorted(epoch(order(), number).tolist()) == list(range(26))


def test_epochs_seeds_and_windows_differ():
    orders = {tuple(epoch(order(seed=seed), number)) for seed in (5, 6) for number in (0, 1, 2)}
    assert len(orders) == 6


def test_a_window_stands_for_itself():
    windows = [order().window(3, window).tolist() for window in (2, 0, 1)]
    assert [windows[1], windows[2], windows[0]] == [order().window(3, window).tolist() for window in range(3)]


def test_a_window_touches_few_row_groups():
    starts = np.arange(0, 10_001, 100)
    one = Order(starts, np.zeros(100, dtype=int), np.array([10_000]), 0, 1000)
    assert max(len(np.unique(one.window(epoch, 4) // 100)) for epoch in range(20)) <= 10


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_quotas_are_exact_in_every_window_and_a_set_is_whole_before_any_of_it_repeats(seed):
    # Set 0 has 14 pairs and 4 an epoch, set 1 has 12 and 22.
    one = order([4, 22], dataset=(0, 0, 1, 1, 1), seed=seed)
    seen = []
    for number in range(7):
        for window in range(one.num_windows):
            first = one.window(number, window) < 14
            start, end = (4 * place // 3 for place in (window, window + 1))
            assert first.sum() == end - start
        seen.append(epoch(one, number))
    # Whatever the number of epochs, no pair is ahead of another by more than one.
    for end in range(1, 8):
        first, second = (np.concatenate([pairs[(pairs < 14) == half] for pairs in seen[:end]]) for half in (1, 0))
        assert (len(first), len(second)) == (4 * end, 22 * end)
        assert np.ptp(np.bincount(first, minlength=14)) <= 1
        assert np.ptp(np.bincount(second - 14, minlength=12)) <= 1


@pytest.mark.parametrize(
    ("mixture", "expected"),
    [
        (MixtureConfig(), [900, 90, 10]),
        (MixtureConfig(temperature=2.0), [703, 223, 74]),
        (MixtureConfig(temperature=1e9), [334, 333, 333]),
        (MixtureConfig(weights=(0.0, 3.0, 1.0)), [0, 750, 250]),
    ],
)
def test_shares_by_hand(mixture, expected):
    assert quotas(np.array([900, 90, 10]), mixture, ("a", "b", "c")).tolist() == expected


def test_a_weight_for_each_data_set():
    with pytest.raises(UserError, match=r"has 2 weights for 3 data sets with pairs \(a, b, c\); give one"):
        quotas(np.array([1, 2, 3]), MixtureConfig(weights=(1.0, 1.0)), ("a", "b", "c"))


def test_a_data_set_without_pairs_cannot_be_asked_for():
    names = ("a", "b")
    with pytest.raises(UserError, match="asks for b, without a pair; set its weight to 0"):
        quotas(np.array([10, 0]), MixtureConfig(weights=(1.0, 1.0)), names)
    assert quotas(np.array([10, 0]), MixtureConfig(temperature=5.0), names).tolist() == [10, 0]


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"weights": (0.0, 0.0)}, "weights"),
        ({"weights": (1.0, -1.0)}, "weights"),
        ({"weights": (1.0, float("inf"))}, "weights"),
        ({"temperature": 0.5}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
        ({"mono_share": 1.5}, "mono_share"),
        ({"mono_share": -0.1}, "mono_share"),
    ],
)
def test_an_impossible_mixture_is_refused_by_name(values, name):
    with pytest.raises(UserError, match=rf"^train\.mixture\.{name}: "):
        MixtureConfig(**values)
