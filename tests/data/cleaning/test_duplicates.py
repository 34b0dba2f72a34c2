"""Duplicates: the first of equal pairs stays, whatever the windows, the partitions and the order of tasks."""

import random
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pytest

from optical.cluster import connect
from optical.data.bitext.config import BitextConfig, CleaningConfig
from optical.data.bitext.screen import Limits
from optical.data.bitext.shards import CHECKED
from optical.data.bitext.sources import open_source
from optical.data.bitext.stream import BitextSource, checked_pairs
from optical.data.cleaning import duplicates
from optical.data.cleaning.codepoints import skeletons
from optical.data.cleaning.duplicates import Seen, first_seen, mark_duplicates, unkeyed
from optical.data.cleaning.minhash import band_keys
from optical.data.cleaning.predicates import Cleaning, clean
from optical.resources import Resources


def reference(pairs: list[tuple[str, str, str | None]]) -> list[str | None]:
    """One set, one loop."""
    exact, near, reasons = set(), set(), []
    for source, target, reason in pairs:
        loose = tuple("".join(filter(str.isalnum, side)).casefold() for side in (source, target))
        if reason is None:
            reason = "duplicate" if (source, target) in exact else "near_duplicate" if loose in near else None
            exact.add((source, target))
            near.add(loose)
        reasons.append(reason)
    return reasons


def drawn(seed: int, size: int) -> list[tuple[str, str, str | None]]:
    rng = random.Random(seed)
    sides = ["Moja", "moja!", "mbili", "tatu", "TATU", "nne", "ta-tu"]
    return [(rng.choice(sides), rng.choice(sides) + "x", rng.choice([None, None, None, "ratio"])) for _ in range(size)]


def minhash_reference(pairs: list[tuple[str, str, str | None]]) -> list[str | None]:
    """One set of texts, one of bands, one loop."""
    exact, bands, reasons = set(), set(), []
    for source, target, reason in pairs:
        if reason is None:
            own = {*enumerate(band_keys(skeletons([source]), skeletons([target]))[0].tolist())}
            reason = "duplicate" if (source, target) in exact else "near_duplicate" if own & bands else None
            exact.add((source, target))
            bands |= own
        reasons.append(reason)
    return reasons


def sentences(seed: int, size: int) -> list[tuple[str, str, str | None]]:
    """Sentences of a few dozen words, many of which repeat an earlier one but for a word or two."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefgh", k=5)) for _ in range(50)]
    pairs: list[tuple[str, str, str | None]] = []
    for _ in range(size):
        sides = [rng.choices(words, k=25) for _ in range(2)]
        if pairs and rng.random() < 0.6:
            sides = [side.split() for side in rng.choice(pairs)[:2]]
            for _ in range(rng.choice([0, 1, 2, 6])):
                rng.choice(sides)[rng.randrange(25)] = rng.choice(words)
        pairs.append((*(" ".join(side) for side in sides), rng.choice([None, None, None, "ratio"])))
    return pairs


def windows(pairs: list[tuple[str, str, str | None]], cuts: list[int], kind: str = "near") -> Iterator[pa.Table]:
    rows = [
        {"dataset": "toy", "position": place, "source": source, "target": target, "reason": reason}
        for place, (source, target, reason) in enumerate(pairs)
    ]
    for start, end in zip([0, *cuts], [*cuts, len(rows)], strict=True):
        block = pa.Table.from_pylist(rows[start:end], schema=CHECKED)
        yield clean(block, "swa", "eng", Cleaning(CleaningConfig(drop_identical=False, duplicates=kind)))


@pytest.mark.parametrize("seed", [random.randrange(10**6) for _ in range(5)])
def test_first_seen_against_a_set(seed: int):
    rng = np.random.default_rng(seed)
    seen, known = np.empty(0, np.uint64), set()
    for _ in range(6):
        keys = rng.integers(0, 40, rng.integers(0, 30), dtype=np.uint64)
        seen, mask = first_seen(seen, keys)
        expected = []
        for key in keys.tolist():
            expected.append(key not in known)
            known.add(key)
        assert mask.tolist() == expected, f"seed {seed}"
        assert seen.tolist() == sorted(known), f"seed {seed}"


@pytest.fixture(params=[False, True])
def at_once(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    """Tasks run where they are submitted, and Ray is not needed; they seem to have ended, or never to end."""
    late = request.param

    class Compare:
        remote = staticmethod(duplicates._compare._function)

    monkeypatch.setattr(duplicates, "_compare", Compare)
    monkeypatch.setattr(duplicates.ray, "get", lambda value: value)
    answer = (lambda values, **_: ([], values)) if late else (lambda values, **_: (values, []))
    monkeypatch.setattr(duplicates.ray, "wait", answer)
    monkeypatch.setattr(duplicates, "_partitions", lambda: 3)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("seed", [random.randrange(10**6) for _ in range(4)])
@pytest.mark.parametrize(("partitions", "pairs_per_window"), [(1, 0), (2, 50), (7, 0), (3, 1000)])
def test_any_windows_and_partitions_agree_with_the_reference(seed: int, partitions: int, pairs_per_window: int):
    pairs = drawn(seed, 120)
    rng = random.Random(seed)
    cuts = sorted(rng.choices(range(121), k=rng.randint(0, 9)))
    marked = pa.concat_tables(unkeyed(mark_duplicates(windows(pairs, cuts), Seen(partitions), pairs_per_window)))
    assert marked["reason"].to_pylist() == reference(pairs), f"seed {seed}"
    assert marked["position"].to_pylist() == list(range(120))
    assert marked.schema == CHECKED


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("partitions", "pairs_per_window"), [(1, 0), (5, 0), (3, 1000)])
def test_minhash_agrees_with_the_reference_in_any_windows_and_partitions(partitions: int, pairs_per_window: int):
    pairs = sentences(partitions, 200)
    expected = minhash_reference(pairs)
    assert min(expected.count(reason) for reason in (None, "duplicate", "near_duplicate")) > 10
    for cuts in ([], [3, 3, 90, 150]):
        marks = mark_duplicates(windows(pairs, cuts, "minhash"), Seen(partitions), pairs_per_window)
        marked = pa.concat_tables(unkeyed(marks))
        assert marked["reason"].to_pylist() == expected
        assert marked.schema == CHECKED


@pytest.mark.usefixtures("at_once")
def test_no_window_and_empty_windows():
    assert list(mark_duplicates([])) == []
    assert [len(window) for window in mark_duplicates(windows([], [0]))] == [0]
    assert [len(window) for window in mark_duplicates(windows([], [0]), pairs_per_window=0)] == [0, 0]


@pytest.mark.usefixtures("at_once")
def test_a_window_leaves_before_the_last_has_come():
    """The stream never holds more than a few windows, so that it can stop early and needs little memory."""
    taken = 0

    def endless() -> Iterator[pa.Table]:
        nonlocal taken
        while True:
            taken += 1
            yield from windows(drawn(taken, 5), [])

    marked = mark_duplicates(endless(), pairs_per_window=5)
    for _ in range(20):
        next(marked)
    assert taken <= 20 + duplicates._WINDOWS_AHEAD + 1


@pytest.fixture
def corpus(tmp_path) -> list[BitextSource]:
    """Two data sets that share pairs, read in small blocks."""
    rng = random.Random(5)
    lines = [f"neno la {rng.randint(0, 300)} hapa\tword {rng.randint(0, 3)} is here" for _ in range(2000)]
    paths = []
    for number, part in enumerate((lines[:1500], lines[1500:])):
        paths.append(tmp_path / f"{number}.tsv")
        paths[-1].write_text("\n".join(part) + "\n")
    return [BitextSource(open_source(str(path), tmp_path), "swa", "eng") for path in paths]


@pytest.mark.ray
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["keep", "exact"])
def test_across_data_sets_on_ray(corpus: list[BitextSource], kind: str):
    connect(Resources())
    cleaning = Cleaning(CleaningConfig(duplicates=kind))
    tables = list(checked_pairs(corpus, Limits.of(BitextConfig(datasets=("x",))), cleaning))
    found = pa.concat_tables(tables)
    assert found.schema == CHECKED
    assert found["position"].to_pylist() == [*range(1500), *range(500)]
    texts = [tuple(line.split("\t")) for source in corpus for line in source.files.paths[0].read_text().splitlines()]
    expected = reference([(*pair, None) for pair in texts]) if kind == "exact" else [None] * 2000
    assert found["reason"].to_pylist() == expected
