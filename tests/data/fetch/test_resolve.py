"""Resolution: cache, mirror, origin; hashes; the user's own paths."""

import gzip
import hashlib
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from optical.data.bitext.sources import open_source, parse_source
from optical.data.fetch import download as downloading
from optical.data.fetch import place as fetching
from optical.data.fetch.resolve import hashes_of, pin_path, resolve
from optical.data.files.open import open_bytes
from optical.data.registry.datasets import dataset
from optical.data.registry.entry import DataFile, DataSet
from optical.errors import DataError, InfrastructureError, UserError

TEXT = b"habari\nasante\n"
SHA = hashlib.sha256(TEXT).hexdigest()


def data_set(path: str = "x/train.swa", mirror: str = "m/train.swa.gz", sha256: str | None = SHA) -> DataSet:
    file = DataFile(path, sha256, mirror)
    return DataSet(
        name="tiny",
        kind="bitext",
        source="swa",
        target="eng",
        reader="tsv",
        origin="nobody/nothing",
        commit="0" * 40,
        licence="CC0-1.0",
        attribution="nobody",
        files=(file,),
    )


@pytest.fixture(autouse=True)
def origin_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches the network: only the loopback server of a test is let through."""
    real = downloading.answer

    def guarded(address: str, *rest: object, **named: object) -> object:
        if "127.0.0.1" not in address:
            raise OSError("no network in tests")
        return real(address, *rest, **named)

    monkeypatch.setattr(downloading, "answer", guarded)


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    folder = tmp_path / "mirror" / "m"
    folder.mkdir(parents=True)
    (folder / "train.swa.gz").write_bytes(gzip.compress(TEXT, mtime=0))
    return folder.parent


@pytest.fixture
def address(mirror: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(mirror)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def leftovers(cache: Path) -> list[Path]:
    return [path for path in cache.rglob("*") if path.is_file()]


def test_mirror_directory_is_inflated_verified_and_cached(tmp_path: Path, mirror: Path):
    cache = tmp_path / "cache"
    found = resolve(data_set(), cache, str(mirror))
    assert found.paths[0].read_bytes() == TEXT
    assert found.sha256s == (SHA,)
    assert leftovers(cache) == [found.paths[0]]


def test_file_address_and_http_address_are_mirrors(tmp_path: Path, mirror: Path, address: str):
    for number, base in enumerate((mirror.as_uri(), address, address + "/")):
        assert resolve(data_set(), tmp_path / f"cache{number}", base).paths[0].read_bytes() == TEXT


def test_cache_comes_first(tmp_path: Path, mirror: Path):
    cache = tmp_path / "cache"
    first = resolve(data_set(), cache, str(mirror))
    (mirror / "m" / "train.swa.gz").unlink()
    assert resolve(data_set(), cache, None) == first


def test_damaged_cache_is_refused_with_both_hashes(tmp_path: Path, mirror: Path):
    path = resolve(data_set(), tmp_path, str(mirror)).paths[0]
    path.write_bytes(b"other")
    with pytest.raises(DataError) as caught:
        resolve(data_set(), tmp_path, str(mirror))
    for part in (str(path), SHA, hashlib.sha256(b"other").hexdigest(), "delete it"):
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [gzip.compress(b"another text"), gzip.compress(TEXT)[:-6], b"", b"not gzip"])
def test_wrong_or_damaged_mirror_file_is_refused_and_leaves_nothing(tmp_path: Path, mirror: Path, content: bytes):
    (mirror / "m" / "train.swa.gz").write_bytes(content)
    with pytest.raises(DataError, match="train.swa.gz"):
        resolve(data_set(), tmp_path / "cache", str(mirror))
    assert leftovers(tmp_path / "cache") == []


def test_a_gz_original_is_not_inflated(tmp_path: Path, mirror: Path):
    packed = (mirror / "m" / "train.swa.gz").read_bytes()
    entry = data_set(path="x/train.swa.gz", sha256=hashlib.sha256(packed).hexdigest())
    assert resolve(entry, tmp_path / "cache", str(mirror)).paths[0].read_bytes() == packed


def test_unreachable_names_every_place(tmp_path: Path, address: str):
    entry = data_set(mirror="m/absent.gz")
    with pytest.raises(InfrastructureError) as caught:
        resolve(entry, tmp_path / "cache", address)
    for part in (f"{address}/m/absent.gz", "404", entry.url(entry.files[0]), str(tmp_path / "cache"), "OPTICAL_MIRROR"):
        assert part in str(caught.value)


def test_a_mirror_address_may_end_in_a_slash():
    assert fetching.place_of("http://host/x/", "m/a.gz") == fetching.place_of("http://host/x", "m/a.gz")


def test_other_schemes_are_refused(tmp_path: Path):
    for base in ("ftp://host/x", "s3://bucket", "data://x"):
        with pytest.raises(UserError, match="scheme"):
            resolve(data_set(), tmp_path, base)
    with pytest.raises(UserError, match="download it first"):
        parse_source("https://host/pairs.tsv")


def test_too_large_a_file_is_refused(tmp_path: Path, mirror: Path):
    with pytest.raises(DataError, match="more than 5 bytes"):
        fetching.fetch(mirror / "m" / "train.swa.gz", tmp_path / "cache" / "x", SHA, True, max_bytes=5)
    assert leftovers(tmp_path / "cache") == []


def test_unwritable_cache_is_an_infrastructure_error(tmp_path: Path, mirror: Path):
    blocked = tmp_path / "cache"
    blocked.write_text("a file where the cache should be")
    with pytest.raises(InfrastructureError, match="cannot be written"):
        resolve(data_set(), blocked, str(mirror))


def test_demo_files_come_from_the_package_and_a_damaged_copy_is_replaced(tmp_path: Path):
    found = resolve(dataset("demo"), tmp_path, None)
    assert found.sha256s == tuple(file.sha256 for file in dataset("demo").files)
    written = [path.stat().st_ino for path in found.paths]
    found.paths[0].write_bytes(b"of an older version")
    again = resolve(dataset("demo"), tmp_path, None)
    assert again == found and [path.name for path in again.paths] == ["bitext.swa", "bitext.eng"]
    assert again.paths[1].stat().st_ino == written[1], "what is right is left alone"
    assert sorted(path.name for path in (tmp_path / "demo").iterdir()) == ["bitext.eng", "bitext.swa"]


def test_an_unpinned_file_is_pinned_when_it_is_first_fetched(
    tmp_path: Path, mirror: Path, caplog: pytest.LogCaptureFixture
):
    entry, cache = data_set(sha256=None), tmp_path / "cache"
    found = resolve(entry, cache, str(mirror))
    assert found.sha256s == (SHA,)
    assert f"pinned as {SHA}" in caplog.text
    note = json.loads(pin_path(found.paths[0]).read_text())
    assert note == {"sha256": SHA, "bytes": len(TEXT), "url": entry.url(entry.files[0]), "licence": "CC0-1.0"}
    caplog.clear()
    assert resolve(entry, cache, None) == found
    assert not caplog.text
    found.paths[0].write_bytes(b"other")
    with pytest.raises(DataError, match=SHA):
        resolve(entry, cache, None)
    pin_path(found.paths[0]).write_text("{")
    with pytest.raises(DataError, match="no pin"):
        resolve(entry, cache, None)


def test_the_hash_of_an_unpinned_file_is_its_pin(tmp_path: Path, mirror: Path):
    entry, cache = data_set(sha256=None), tmp_path / "cache"
    with pytest.raises(InfrastructureError):
        hashes_of(entry, cache, None)
    assert hashes_of(entry, cache, str(mirror)) == {"x/train.swa": SHA}
    assert hashes_of(entry, cache, None) == {"x/train.swa": SHA}
    assert hashes_of(data_set(sha256="0" * 64), tmp_path / "nothing", None) == {"x/train.swa": "0" * 64}
    assert not (tmp_path / "nothing").exists(), "what the registry pins needs no file"


def test_a_member_is_named_behind_its_archive(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("d/x.tsv", TEXT)
    sha256 = hashlib.sha256((tmp_path / "x.zip").read_bytes()).hexdigest()
    entry = replace(data_set(), files=(DataFile("a/x.zip", sha256, "x.zip", "d/x.tsv"),))
    (path,) = resolve(entry, tmp_path / "cache", str(tmp_path)).paths
    with open_bytes(path) as stream:
        assert stream.read() == TEXT


def test_files_that_only_a_mirror_has_say_so(tmp_path: Path):
    entry = replace(data_set(), origin="mirror:nobody/nothing")
    with pytest.raises(InfrastructureError, match="unreachable at any place.*OPTICAL_MIRROR"):
        resolve(entry, tmp_path, None)


def test_registry_name_is_a_data_set():
    assert parse_source("tico19-swa").reader == "tmx"


@pytest.mark.parametrize(
    "name", ["p.tsv", "p.tsv.xz", "p.csv.bz2", "p.jsonl", "p.jsonl.gz", "c.tmx", "c.tmx.zst", "t.parquet"]
)
def test_paths_tell_their_reader(tmp_path: Path, name: str):
    path = tmp_path / name
    path.write_bytes(TEXT)
    found = open_source(str(path), tmp_path / "cache")
    assert found.reader == name.split(".")[1]
    assert (found.paths, found.sha256s) == ((path,), (SHA,))


def test_zip_members_tell_their_reader(tmp_path: Path):
    path = tmp_path / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("d/en-sw.tmx", "<tmx/>")
    assert parse_source(f"{path}!d/en-sw.tmx").reader == "tmx"
    assert parse_source(str(path)).reader == "tmx"


def test_a_reader_may_be_named_and_an_archive_may_hold_two_sides(tmp_path: Path):
    (tmp_path / "eng.jsonl").write_bytes(TEXT)
    assert parse_source(f"webfaq:{tmp_path}/eng.jsonl").reader == "webfaq"
    with zipfile.ZipFile(tmp_path / "en-sw.txt.zip", "w") as archive:
        archive.writestr("x.en", TEXT)
        archive.writestr("x.sw", TEXT)
    assert parse_source(f"{tmp_path}/en-sw.txt.zip").reader == "moses"


def test_addresses_of_stores_are_sources():
    store = fsspec.filesystem("memory")
    for name in ("p.tsv.gz", "a.swa", "a.eng"):
        store.pipe(f"/sources/{name}", gzip.compress(TEXT))
    found = parse_source("memory://sources/p.tsv.gz")
    assert (found.reader, found.paths) == ("tsv", ("memory://sources/p.tsv.gz",))
    moses = parse_source("memory://sources/a.swa+memory://sources/a.eng")
    assert (moses.reader, len(moses.paths)) == ("moses", 2)
    with pytest.raises(DataError, match=r"memory://sources/absent\.tsv: no such file"):
        parse_source("memory://sources/absent.tsv")


def test_moses_is_source_plus_target_even_with_plus_in_names(tmp_path: Path):
    source, target = tmp_path / "a+b.swa", tmp_path / "a+b.eng"
    source.write_bytes(TEXT)
    target.write_bytes(TEXT)
    found = parse_source(f"{source}+{target}")
    assert (found.reader, found.paths) == ("moses", (source, target))


def test_missing_files_and_unknown_formats(tmp_path: Path):
    (tmp_path / "a.swa").write_bytes(TEXT)
    (tmp_path / "a.docx").write_bytes(TEXT)
    with pytest.raises(DataError, match=r"a\.eng: no such file"):
        parse_source(f"{tmp_path}/a.swa+{tmp_path}/a.eng")
    with pytest.raises(DataError, match=r"nothing\.tsv: no such file"):
        parse_source(f"{tmp_path}/nothing.tsv")
    with pytest.raises(UserError, match="no known format"):
        parse_source(f"{tmp_path}/a.docx")
    with pytest.raises(UserError, match="did you mean tico19-swa"):
        parse_source("tico19-sw")
