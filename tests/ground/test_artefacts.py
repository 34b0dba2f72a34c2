"""Artefacts: whole or not at all, and every damage is noticed."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from optical import artefacts
from optical.errors import DataError

MADE_FROM = artefacts.fingerprint({"recipe": "toy"})


@pytest.fixture
def thing(tmp_path):
    path = tmp_path / "things" / "one"
    with artefacts.writing(path, "thing", MADE_FROM, {"rows": 2}) as scratch:
        (scratch / "a.txt").write_text("hello")
        (scratch / "sub").mkdir()
        (scratch / "sub" / "b.bin").write_bytes(bytes(range(9)))
    return path


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_what_is_written_is_read_back(thing):
    artefact = artefacts.read(thing, "thing", MADE_FROM)
    assert (artefact.path, artefact.kind, artefact.fingerprint) == (thing, "thing", MADE_FROM)
    assert artefact.info == {"rows": 2}
    assert artefact.file("a.txt").read_text() == "hello"
    assert artefacts.exists(thing, "thing", MADE_FROM)
    assert names(thing.parent) == ["one"]


def test_the_manifest_names_every_file_with_its_hash(thing):
    manifest = json.loads((thing / "manifest.json").read_text())
    # sha256 of "hello", as any tool prints it
    assert manifest["files"]["a.txt"] == {
        "bytes": 5,
        "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
    }
    assert set(manifest["files"]) == {"a.txt", "sub/b.bin"}


def test_info_filled_by_the_body_is_kept(tmp_path):
    info = {"pairs": 3}
    with artefacts.writing(tmp_path / "x", "thing", MADE_FROM, info):
        info["accepted"] = 2
    assert artefacts.read(tmp_path / "x", "thing").info == {"pairs": 3, "accepted": 2}


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_body_that_raises_leaves_nothing(tmp_path, error):
    with pytest.raises(error), artefacts.writing(tmp_path / "x", "thing", MADE_FROM) as scratch:
        (scratch / "half").write_text("half")
        raise error
    assert names(tmp_path) == []


def test_a_body_that_raises_leaves_the_old_artefact(thing):
    with pytest.raises(RuntimeError), artefacts.writing(thing, "thing", "other") as scratch:
        (scratch / "half").write_text("half")
        raise RuntimeError
    assert names(thing.parent) == ["one"]
    assert artefacts.exists(thing, "thing", MADE_FROM)


def test_a_commit_that_fails_leaves_nothing(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError), artefacts.writing(tmp_path / "x", "thing", MADE_FROM) as scratch:
        (scratch / "a").write_text("a")
    assert names(tmp_path) == []


def test_a_new_artefact_replaces_the_old_one_entirely(thing):
    with artefacts.writing(thing, "thing", "b" * 64) as scratch:
        (scratch / "new.txt").write_text("new")
    assert names(thing) == ["manifest.json", "new.txt"]
    assert names(thing.parent) == ["one"]
    assert artefacts.exists(thing, "thing", "b" * 64)
    assert not artefacts.exists(thing, "thing", MADE_FROM)


def flip_one_bit(path):
    content = bytearray((path / "sub" / "b.bin").read_bytes())
    content[4] ^= 1
    (path / "sub" / "b.bin").write_bytes(content)


def shorten(path):
    (path / "a.txt").write_text("hell")


def lose(path):
    (path / "a.txt").unlink()


def truncate_manifest(path):
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text[: len(text) // 2])


def lose_manifest(path):
    (path / "manifest.json").unlink()


def change_info(path):
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace('"rows": 2', '"rows": 3'))


def newer_format(path):
    manifest = json.loads((path / "manifest.json").read_text())
    (path / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (flip_one_bit, "b.bin: its bytes differ"),
        (shorten, "a.txt: its bytes differ"),
        (lose, "a.txt: named in the manifest but missing"),
        (truncate_manifest, "manifest.json: not valid JSON"),
        (lose_manifest, "never committed"),
        (newer_format, "format 99, this version reads 2"),
        (change_info, "manifest.json: was changed after it was written"),
    ],
)
def test_damage_is_a_data_error_that_names_it(thing, damage, message):
    damage(thing)
    with pytest.raises(DataError, match=message):
        artefacts.read(thing, "thing", MADE_FROM)
    assert not artefacts.exists(thing, "thing", MADE_FROM)


@pytest.mark.parametrize("content", ["[]", '{"format": 1}'])
def test_a_manifest_of_another_shape_is_a_data_error(thing, content):
    (thing / "manifest.json").write_text(content)
    with pytest.raises(DataError, match="manifest.json"):
        artefacts.read(thing, "thing")


def test_hashes_are_skipped_on_request_only(thing):
    flip_one_bit(thing)
    assert artefacts.read(thing, "thing", MADE_FROM, verify=False).info == {"rows": 2}


def test_wrong_kind_wrong_origin_and_nothing_there(thing):
    with pytest.raises(DataError, match="holds a thing, not a checkpoint"):
        artefacts.read(thing, "checkpoint")
    with pytest.raises(DataError, match=f"made from {MADE_FROM[:12]}, not from {'c' * 12};"):
        artefacts.read(thing, "thing", "c" * 64)
    with pytest.raises(DataError, match="no thing here; run the verb that makes it"):
        artefacts.read(thing.parent / "two", "thing")


def test_fingerprint_sees_values_and_not_order():
    assert artefacts.fingerprint({"b": [2], "a": 1}) == hashlib.sha256(b'{"a":1,"b":[2]}').hexdigest()
    assert artefacts.fingerprint({"b": [2], "a": 1}) == artefacts.fingerprint({"a": 1, "b": [2]})
    assert artefacts.fingerprint({"a": 1}) != artefacts.fingerprint({"a": 2})
    assert artefacts.fingerprint({"a": 1}) != artefacts.fingerprint({"a": 1.5})


def test_write_json_replaces_the_file_whole(tmp_path):
    path = tmp_path / "summary.json"
    artefacts.write_json(path, {"old": "x" * 1000})
    with path.open() as reader:
        artefacts.write_json(path, {"new": 1})
        assert json.load(reader) == {"old": "x" * 1000}
    assert json.loads(path.read_text()) == {"new": 1}
    assert names(tmp_path) == ["summary.json"]


def test_write_json_that_cannot_serialise_keeps_the_old_file(tmp_path):
    path = tmp_path / "summary.json"
    artefacts.write_json(path, {"old": 1})
    with pytest.raises(TypeError):
        artefacts.write_json(path, {"new": object()})
    assert json.loads(path.read_text()) == {"old": 1}
    assert names(tmp_path) == ["summary.json"]
