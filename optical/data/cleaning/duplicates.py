"""Duplicates across all shards of all data sets: of equal pairs the first stays.

The stream is cut into windows. Keys of a window are dealt to partitions by their value; for each partition a task
compares them with the sorted keys seen before and hands those, extended, to the same partition's next task. So the
result depends on the order of the pairs alone, not on windows, partitions or the order in which tasks run, and a task
whose worker dies is simply run again. The keys seen take 16 bytes a pair, in the object store.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import ray

from optical.data.cleaning.predicates import EXACT, NEAR

_MOST_PARTITIONS = 32
_PAIRS_PER_WINDOW = 1 << 16
_WINDOWS_AHEAD = 2
_TASK_CPUS = 0.25
_KEYS = (EXACT, NEAR)


def first_seen(seen: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which keys neither were seen before nor stand earlier among ``keys``.

    Args:
        seen: sorted distinct keys.
        keys: the next ones, in order.

    Returns:
        ``seen`` with the new keys, sorted; and a mask over ``keys``, true where one occurs for the first time.
    """
    unique, first = np.unique(keys, return_index=True)
    places = np.searchsorted(seen, unique)
    new = np.ones(len(unique), bool)
    inside = places < len(seen)
    new[inside] = seen[places[inside]] != unique[inside]
    mask = np.zeros(len(keys), bool)
    mask[first[new]] = True
    return np.insert(seen, places[new], unique[new]), mask


def mark_duplicates(
    keyed: Iterable[pa.Table], partitions: int | None = None, pairs_per_window: int = _PAIRS_PER_WINDOW
) -> Iterator[pa.Table]:
    """Give the reason ``duplicate`` or ``near_duplicate`` to all but the first of equal accepted pairs.

    Args:
        keyed: tables of cleaned pairs in order, with their keys (see ``clean``); the keys are taken off.
        partitions: how many parts of the key space are worked on independently; by default one for every two CPUs.
        pairs_per_window: least pairs looked at together; every window costs a task and a copy of the keys seen for
            each partition.
    """
    seen: list[ray.ObjectRef | None] = [None] * (partitions or _partitions())
    pending: deque[tuple[pa.Table, list[tuple[np.ndarray, ray.ObjectRef]]]] = deque()
    for window in chain(_windows(keyed, pairs_per_window), [None] * _WINDOWS_AHEAD):
        if window is not None:
            pending.append((window, _submit(window, seen)))
        while pending and (window is None or len(pending) > _WINDOWS_AHEAD or _finished(pending[0][1])):
            yield _marked(*pending.popleft())


def unkeyed(keyed: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The windows without their keys."""
    return (window.drop_columns(list(_KEYS)) for window in keyed)


def _partitions() -> int:
    """Few on a laptop, where they only share two cores out, and more on a cluster."""
    return max(1, min(_MOST_PARTITIONS, int(ray.cluster_resources()["CPU"]) // 2))


def _finished(verdicts: list[tuple[np.ndarray, ray.ObjectRef]]) -> bool:
    """Whether nothing would have to be waited for."""
    return not verdicts or not ray.wait([verdict for _, verdict in verdicts], num_returns=len(verdicts), timeout=0)[1]


def _windows(tables: Iterable[pa.Table], least: int) -> Iterator[pa.Table]:
    """Tables joined until they have ``least`` rows, copied so that they no longer take room in the object store."""
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += len(table)
        if rows >= least:
            yield pa.concat_tables(waiting).combine_chunks()
            waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting).combine_chunks()


def _submit(window: pa.Table, seen: list[ray.ObjectRef | None]) -> list[tuple[np.ndarray, ray.ObjectRef]]:
    """Start a task for each partition that has accepted rows here: those rows, and their verdicts to come."""
    accepted = np.flatnonzero(pc.is_null(window["reason"]))
    keys = np.stack([window[column].to_numpy()[accepted] for column in _KEYS])
    homes = keys[1] % np.uint64(len(seen))  # equal texts have equal near keys, so both kinds meet in one partition
    verdicts = []
    for partition in range(len(seen)):
        mine = homes == partition
        if mine.any():
            seen[partition], verdict = _compare.remote(seen[partition], keys[:, mine])
            verdicts.append((accepted[mine], verdict))
    return verdicts


@ray.remote(num_cpus=_TASK_CPUS, num_returns=2)
def _compare(seen: list[np.ndarray] | None, keys: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """The keys seen from now on, and of each row whether its exact and its near key are new, as a (2, rows) mask."""
    seen = seen or [np.empty(0, np.uint64)] * len(keys)
    compared = [first_seen(*old_and_next) for old_and_next in zip(seen, keys, strict=True)]
    return [now for now, _ in compared], np.stack([mask for _, mask in compared])


def _marked(window: pa.Table, verdicts: list[tuple[np.ndarray, ray.ObjectRef]]) -> pa.Table:
    reasons = window["reason"].to_numpy().copy()
    for rows, verdict in verdicts:
        exact_is_new, near_is_new = ray.get(verdict)
        reasons[rows[~near_is_new]] = "near_duplicate"
        reasons[rows[~exact_is_new]] = "duplicate"
    place = window.schema.get_field_index("reason")
    return window.set_column(place, "reason", pa.array(reasons, pa.string())).drop_columns(list(_KEYS))
