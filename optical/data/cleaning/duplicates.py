"""Duplicates across all shards of all data sets: of equal pairs the first stays.

A pair has one exact key and one or more near keys, and is dropped when an earlier pair, dropped or not, has one of
them. The stream is cut into windows. Keys of a window go to partitions by their value; for each partition a task
compares them with the sorted keys seen before and passes those, extended, to the next task of the partition. So the
result depends on the order of the pairs alone, not on windows, partitions or the order in which tasks run, and a task
whose worker dies is simply run again. The keys seen take 8 bytes each, in the object store: 16 a pair, 56 with MinHash.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any, Self, cast

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
_REASONS = ("duplicate", "near_duplicate")
_KEPT = pa.array([None, *_REASONS], pa.string())

Verdict = tuple[list[np.ndarray], ray.ObjectRef]
"""For each kind of key the rows of some keys, and the reference to the mask of their first occurrences."""


def first_seen(seen: np.ndarray, keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Which keys neither were seen before nor occur earlier among ``keys``.

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


class Seen:
    """The keys of all pairs so far, each in the partition of its value.

    Args:
        partitions: how many parts of the key space are worked on independently; by default one for every two CPUs.
    """

    def __init__(self, partitions: int | None = None) -> None:
        self._keys: list[ray.ObjectRef | None] = [None] * (partitions or _partitions())

    def copy(self) -> Self:
        """What was seen until now; the keys themselves are shared."""
        copied = type(self)(len(self._keys))
        copied._keys = list(self._keys)
        return copied

    def add(self, window: pa.Table) -> list[Verdict]:
        """Start a task for each partition that has keys here: for each kind of key their rows, and the verdicts.

        Rows that were rejected for another reason than an earlier pair have no part in it.
        """
        kept = np.flatnonzero(pc.is_in(window["reason"], _KEPT))
        tables = [_key_rows(window[column])[kept] for column in _KEYS]
        rows = [np.repeat(kept, table.shape[1]) for table in tables]
        keys = [table.ravel() for table in tables]  # row by row, so that of equal keys the earlier row's comes first
        homes = [of_kind % np.uint64(len(self._keys)) for of_kind in keys]
        verdicts: list[Verdict] = []
        for partition in range(len(self._keys)):
            mine = [home == partition for home in homes]
            if any(some.any() for some in mine):
                given = [of_kind[some] for of_kind, some in zip(keys, mine, strict=True)]
                # Ray types a task as of one return; this has two.
                self._keys[partition], verdict = cast(Any, _compare).remote(self._keys[partition], given)
                verdicts.append(([of_kind[some] for of_kind, some in zip(rows, mine, strict=True)], verdict))
        return verdicts


def mark_duplicates(
    keyed: Iterable[pa.Table], seen: Seen | None = None, pairs_per_window: int = _PAIRS_PER_WINDOW
) -> Iterator[pa.Table]:
    """Give the reason ``duplicate`` or ``near_duplicate`` to all but the first of equal accepted pairs.

    Args:
        keyed: tables of cleaned pairs in order, with their keys (see ``clean``).
        seen: the keys of the pairs before these, to which theirs are added.
        pairs_per_window: fewest pairs compared together; every window costs a task and a copy of the keys seen for
            each partition.
    """
    seen = seen or Seen()
    pending: deque[tuple[pa.Table, list[Verdict]]] = deque()
    for window in chain(_windows(keyed, pairs_per_window), [None] * _WINDOWS_AHEAD):
        if window is not None:
            pending.append((window, seen.add(window)))
        while pending and (window is None or len(pending) > _WINDOWS_AHEAD or _finished(pending[0][1])):
            yield _marked(*pending.popleft())


def unkeyed(keyed: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The windows without their keys."""
    return (window.drop_columns(list(_KEYS)) for window in keyed)


def _partitions() -> int:
    """Few on a laptop, where more tasks are no faster, and more on a cluster."""
    return max(1, min(_MOST_PARTITIONS, int(ray.cluster_resources()["CPU"]) // 2))


def _finished(verdicts: list[Verdict]) -> bool:
    """Whether all verdicts are there."""
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


def _key_rows(column: pa.ChunkedArray) -> np.ndarray:
    """A column of keys, or of lists of them, as an array (rows, keys)."""
    array = column.combine_chunks()
    width = array.type.list_size if pa.types.is_fixed_size_list(array.type) else 1
    return (array.flatten() if width > 1 else array).to_numpy().reshape(-1, width)


@ray.remote(num_cpus=_TASK_CPUS, num_returns=2)
def _compare(seen: list[np.ndarray] | None, keys: list[np.ndarray]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """For each kind of key the keys seen so far, and a mask of ``keys``: true where one occurs for the first time."""
    seen = seen or [np.empty(0, np.uint64)] * len(keys)
    compared = [first_seen(*old_and_next) for old_and_next in zip(seen, keys, strict=True)]
    return [now for now, _ in compared], [mask for _, mask in compared]


def _marked(window: pa.Table, verdicts: list[Verdict]) -> pa.Table:
    reasons = window["reason"].to_numpy().copy()
    found = [(rows, ray.get(verdict)) for rows, verdict in verdicts]
    for kind, reason in reversed([*enumerate(_REASONS)]):  # an exact duplicate is a near one too
        for rows, is_new in found:
            reasons[rows[kind][~is_new[kind]]] = reason
    place = window.schema.get_field_index("reason")
    return window.set_column(place, "reason", pa.array(reasons, pa.string()))
