"""Which test collections the pairs are compared with."""

from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.cleaning.keys import hashes
from optical.data.collections import held_out
from optical.data.collections.held_out import held_out_texts
from optical.data.registry.entry import DataFile, DataSet
from optical.errors import DataError, UserError

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


def test_the_own_collection_and_those_at_hand(own: str, registered: Path):
    compared = held_out_texts(own, ("sw",), registered / "cache", str(registered))
    assert compared.held_out.names == (own, "here")
    expected = hashes(["mtonailiunapitawapi", "whereisthenile", "thenileflowsnorth", "laphoumfula"])
    assert compared.held_out.keys.tolist() == sorted(expected.tolist())
    assert compared.missed == {"damaged": "its hash differs", "away": "not available"}


def test_without_a_mirror_only_what_was_fetched_before(own: str, registered: Path):
    found = held_out_texts(own, ("swa",), registered / "cache")
    assert found.missed == dict.fromkeys(("here", "damaged", "away"), "not available")
    assert held_out_texts(own, ("swa",), registered / "cache", "https://mirror.invalid").held_out.names == (own,)


def test_only_collections_of_the_query_language(own: str, registered: Path):
    compared = held_out_texts(own, ("som",), registered / "cache", str(registered))
    assert (compared.held_out.names, compared.missed) == ((own,), {})


def test_an_own_collection_that_cannot_be_read_is_an_error(registered: Path):
    with pytest.raises(UserError, match="no-such-collection"):
        held_out_texts("no-such-collection", ("swa",), registered / "cache", str(registered))
