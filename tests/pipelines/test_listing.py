"""The list of data sets: what there is, its licence, and where it can be had now."""

import json
from pathlib import Path

import pytest

from optical.data.fetch import availability, download
from optical.data.registry.datasets import dataset
from pipelines.__main__ import main
from pipelines.cli.commands import ListCommand
from pipelines.cli.listing import listed
from pipelines.cli.parse import parse
from pipelines.environment import Settings


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No network: hosts do not answer, and who was asked is noted."""
    addresses: list[str] = []

    def silent(address: str, *_: object) -> object:
        addresses.append(address)
        raise OSError("no network in tests")

    monkeypatch.setattr(download, "answer", silent)
    monkeypatch.setattr(availability, "_AT_ONCE", 1)
    monkeypatch.delenv("OPTICAL_MIRROR", raising=False)
    return addresses


def places(cache: Path, mirror: str | None = None, code: str = "swa") -> dict[str, str]:
    return {line.name: line.reachable for line in listed(Settings(cache=cache, mirror=mirror), code)}


def touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def test_cache_mirror_and_nowhere(tmp_path: Path, asked: list[str]):
    cache, mirror = tmp_path / "cache", tmp_path / "mirror"
    globalvoices, tico = dataset("globalvoices-swa"), dataset("tico19-swa")
    for file in globalvoices.files:
        touch(availability.cached_path(globalvoices, file, cache))
    touch(mirror / tico.files[0].mirror)
    found = places(cache, str(mirror))
    assert (found["globalvoices-swa"], found["tico19-swa"], found["mgsm-swa"]) == ("cache", "mirror", "no")
    assert found["demo"] == "built in"
    hosts = [address.split("/")[2] for address in asked]
    assert len(hosts) == len(set(hosts)) >= 3, "a host that does not answer is asked once"


def test_a_set_of_which_one_file_is_missing_is_not_reachable(tmp_path: Path):
    entry = dataset("globalvoices-swa")
    touch(availability.cached_path(entry, entry.files[0], tmp_path))
    assert places(tmp_path)["globalvoices-swa"] == "no"


def test_the_table_and_the_json_line(tmp_path: Path, capsys: pytest.CaptureFixture):
    assert main(["prepare", "--list", "--language", "sw", "--cache", str(tmp_path)]) == 0
    table = capsys.readouterr().out
    assert "globalvoices-swa" in table and "30,782" in table and "CC-BY-NC-ND-4.0 (non-commercial)" in table
    assert "tico19-mar" not in table
    assert main(["prepare", "--list", "--json", "--cache", str(tmp_path)]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["name"]: row["pairs"] for row in rows}["bible-deu"] == 30925


def test_unknown_language_and_flags_are_refused(capsys: pytest.CaptureFixture):
    assert isinstance(parse(["prepare", "--list"])[1], ListCommand)
    assert main(["prepare", "--list", "--language", "xx-unknown"]) == 2
    assert main(["prepare", "--list", "--langauge", "sw"]) == 2
    assert "did you mean --language" in capsys.readouterr().err
