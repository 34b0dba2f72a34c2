"""Which test collections the pairs are compared with."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.cleaning.keys import hashes
from optical.data.collections import held_out
from optical.data.collections.held_out import Compared, compared_collections, held_out_texts
from optical.data.fetch.resolve import cached_path
from optical.data.registry.datasets import datasets
from optical.data.registry.entry import BUILT_IN, DataFile, DataSet
from optical.errors import DataError, UserError

EXEMPTED = "exempted by bitext.cleaning.exempt_collections, so its texts may be among the pairs"
QUERY, PASSAGE = "mto naili unapita wapi", "the nile flows north"


@pytest.fixture
def own(tmp_path: Path) -> str:
    """A user's collection."""
    folder = tmp_path / "own"
    folder.mkdir()
    (folder / "passages.tsv").write_text(f"d1\t{PASSAGE}\n")
    (folder / "topics.tsv").write_text(f"q1\t{QUERY}\twhere is the nile\n")
    (folder / "qrels.txt").write_text("q1 0 d1 1\n")
    return str(folder)


def entry(name: str, source: str = "swa", **changes) -> DataSet:
    """A registered collection of one file."""
    files = (DataFile(f"{name}.json", None, f"eval/{name}.json"),)
    found = DataSet(
        name=name,
        kind="collection",
        source=source,
        target="eng",
        reader="tables",
        origin="owner/repo",
        commit="0" * 40,
        licence="CC0-1.0",
        attribution="nobody",
        files=files,
    )
    return replace(found, **changes)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Four collections and a bitext in the registry; files of two collections and of the bitext in the mirror."""
    entries = [
        entry("here"),
        entry("damaged"),
        entry("away"),
        entry("foreign", source="fra"),
        entry("bitext", kind="bitext"),
    ]
    monkeypatch.setattr(held_out, "datasets", lambda: {found.name: found for found in entries})
    (tmp_path / "eval").mkdir()
    for name in ("here", "damaged", "foreign", "bitext"):
        (tmp_path / "eval" / f"{name}.json").write_text("{}")

    def texts(dataset: DataSet, cache: Path, mirror: str | None) -> list[str]:
        if dataset.name == "damaged":
            raise DataError("damaged.json", "its hash differs", "fetch it again")
        assert (dataset.name, mirror) == ("here", str(tmp_path))
        return ["lapho umfula"]

    monkeypatch.setattr(held_out, "registered_texts", texts)
    return tmp_path


def compared(own: str, code: str, cache: Path, mirror: str | None = None, exempt: tuple[str, ...] = ()) -> Compared:
    return compared_collections(own, [code], exempt, cache, mirror)


def test_the_own_collection_and_those_at_hand(own: str, registered: Path):
    found = compared(own, "sw", registered / "cache", str(registered), ("damaged",))
    assert found.names == [own, "here"]
    assert found.missed == {"damaged": EXEMPTED, "away": "not available"}
    texts = held_out_texts(found, registered / "cache", str(registered))
    assert texts.names == (own, "here")
    expected = hashes(["mtonailiunapitawapi", "whereisthenile", "thenileflowsnorth", "laphoumfula"])
    assert texts.keys.tolist() == sorted(expected.tolist())


def test_one_that_cannot_be_read_is_an_error_that_says_how_to_exempt_it(own: str, registered: Path):
    found = compared(own, "sw", registered / "cache", str(registered))
    assert found.names == [own, "here", "damaged"]
    with pytest.raises(DataError, match=r"fetch it again, or name damaged in bitext\.cleaning\.exempt_collections$"):
        held_out_texts(found, registered / "cache", str(registered))


def test_a_collection_without_pins_is_pinned_from_the_mirror(own: str, registered: Path):
    cache = registered / "cache"
    found = compared(own, "sw", cache, str(registered))
    sha256 = hashlib.sha256(b"{}").hexdigest()
    assert found.hashes(cache, str(registered)) == {name: {f"{name}.json": sha256} for name in ("here", "damaged")}
    (registered / "eval" / "here.json").write_text("other bytes")
    assert found.hashes(cache, str(registered))["here"] == {"here.json": sha256}, "it is in the cache now"


def test_without_a_mirror_only_what_was_fetched_before(own: str, registered: Path):
    found = compared(own, "swa", registered / "cache")
    assert found.missed == dict.fromkeys(("here", "damaged", "away"), "not available")
    assert compared(own, "swa", registered / "cache", "https://mirror.invalid").names == [own]


def test_only_collections_of_the_query_language(own: str, registered: Path):
    found = compared(own, "som", registered / "cache", str(registered))
    assert (found.names, found.missed) == ([own], {})


def test_files_that_the_own_collection_brings_are_available_before_and_after_it_is_fetched(
    registered: Path, monkeypatch: pytest.MonkeyPatch
):
    own, cache = entry("own"), registered / "cache"
    sibling = entry("sibling", files=own.files)
    monkeypatch.setattr(held_out, "datasets", lambda: {"own": own, "sibling": sibling})
    assert not cache.exists()
    assert compared("own", "swa", cache).names == ["own", "sibling"]


def test_no_registered_bitext_brings_the_files_of_a_collection():
    """Otherwise a run would have another name as soon as it has fetched its pairs."""
    known = datasets().values()
    brought = [
        {cached_path(pairs, file, Path()) for file in pairs.files} for pairs in known if pairs.kind != "collection"
    ]
    for found in known:
        if found.kind == "collection" and found.origin != BUILT_IN:
            files = {cached_path(found, file, Path()) for file in found.files}
            assert not any(files & others for others in brought), found.name


def test_an_own_collection_that_cannot_be_read_is_an_error(registered: Path):
    found = compared("no-such-collection", "swa", registered / "cache")
    with pytest.raises(UserError, match="no-such-collection"):
        held_out_texts(found, registered / "cache", str(registered))
