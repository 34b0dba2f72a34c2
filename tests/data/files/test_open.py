"""Codecs, archives and object stores: the same bytes from everywhere, and nothing that is damaged or a bomb."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import fsspec
import pytest
import zstandard

from optical.data.files.inflate import BOUNDS, Bounds
from optical.data.files.open import archive_members, member_name, open_bytes, open_seekable
from optical.data.files.remote import exists, identity
from optical.errors import DataError, InfrastructureError, UserError

PACK: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: zstandard.ZstdCompressor(write_checksum=True).compress(content),
}
TEXT = b64encode(os.urandom(2000)) + b"\nhabari\n"


def read_all(path: object, bounds: Bounds = BOUNDS) -> bytes:
    with open_bytes(path, bounds) as stream:
        return stream.read()


def tar(path: Path, members: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


@pytest.mark.parametrize("suffix", PACK)
def test_concatenated_streams_are_one_file(tmp_path: Path, suffix: str):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(PACK[suffix](TEXT[:900]) + PACK[suffix](b"") + PACK[suffix](TEXT[900:]))
    assert read_all(path) == TEXT


@pytest.mark.parametrize("suffix", PACK)
def test_a_cut_file_is_refused_wherever_it_is_cut(tmp_path: Path, suffix: str):
    whole = PACK[suffix](TEXT)
    path = tmp_path / f"x{suffix}"
    for cut in (0, 1, 5, 12, len(whole) // 2, len(whole) - 9, len(whole) - 4, len(whole) - 1):
        path.write_bytes(whole[:cut])
        with pytest.raises(DataError, match=rf"x\{suffix}: .*(truncated|damaged)"):
            read_all(path)


@pytest.mark.parametrize("suffix", PACK)
def test_noise_and_a_flipped_bit_are_refused(tmp_path: Path, suffix: str):
    whole = bytearray(PACK[suffix](TEXT))
    whole[len(whole) // 2] ^= 4
    for content in (bytes(whole), os.urandom(500)):
        (tmp_path / f"x{suffix}").write_bytes(content)
        with pytest.raises(DataError, match="damaged"):
            read_all(tmp_path / f"x{suffix}")


@pytest.mark.parametrize("suffix", PACK)
def test_a_decompression_bomb_is_refused(tmp_path: Path, suffix: str):
    path = tmp_path / f"x{suffix}"
    path.write_bytes(PACK[suffix](bytes(40 << 20)))
    with pytest.raises(DataError, match=r"over 200 times: a decompression bomb"):
        read_all(path, Bounds(ratio_free_bytes=1 << 20))
    assert len(read_all(path)) == 40 << 20
    with pytest.raises(DataError, match="inflates to more than 1048576 bytes"):
        read_all(path, Bounds(max_bytes=1 << 20))


def test_a_bomb_inside_an_archive_is_measured_against_the_archive(tmp_path: Path):
    path = tar(tmp_path / "x.tar.gz", {"a.gz": gzip.compress(bytes(20 << 20))}, "w:gz")
    with pytest.raises(DataError, match="decompression bomb"):
        read_all(path, Bounds(ratio_free_bytes=1 << 20))


@pytest.mark.parametrize(
    ("name", "mode"), [("x.tar", "w"), ("x.tgz", "w:gz"), ("x.tar.bz2", "w:bz2"), ("x.tar.xz", "w:xz")]
)
def test_tar_members_are_read_in_place(tmp_path: Path, name: str, mode: str):
    path = tar(tmp_path / name, {"d/a.txt": b"first", "d/b.gz": gzip.compress(TEXT)}, mode)
    assert read_all(f"{path}!d/b.gz") == TEXT
    assert archive_members(path) == ["d/a.txt", "d/b.gz"]
    with pytest.raises(DataError, match=r"has no member 'c'; it holds: d/a.txt, d/b.gz"):
        read_all(f"{path}!c")
    with pytest.raises(DataError, match="holds 2 files"):
        read_all(path)
    single = tar(tmp_path / f"one-{name}", {"only.txt": TEXT}, mode)
    assert (read_all(single), member_name(single)) == (TEXT, "only.txt")


def test_tar_dangers(tmp_path: Path):
    path = tar(tmp_path / "x.tar", {"../up": b"1", "/root": b"2", "ok": b"3" * 5000})
    with tarfile.open(path, "a") as archive:
        link = tarfile.TarInfo("link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    for member, rule in (("../up", "unsafe"), ("/root", "unsafe"), ("link", "has no member")):
        with pytest.raises(DataError, match=rule):
            read_all(f"{path}!{member}")
    path.write_bytes(path.read_bytes()[:4000])
    with pytest.raises(DataError, match=r"x\.tar.*(unreadable|damaged)"):
        read_all(f"{path}!ok")
    path.write_bytes(b"no tar")
    with pytest.raises(DataError, match="unreadable tar"):
        read_all(f"{path}!ok")


def test_an_exclamation_mark_may_be_part_of_a_name(tmp_path: Path):
    path = tmp_path / "a.zip!b"
    path.write_bytes(TEXT)
    assert read_all(path) == TEXT


def test_seekable_streams_of_plain_and_packed_files(tmp_path: Path):
    (tmp_path / "x").write_bytes(TEXT)
    (tmp_path / "x.bz2").write_bytes(bz2.compress(TEXT))
    for name in ("x", "x.bz2"):
        with open_seekable(tmp_path / name) as stream:
            stream.seek(-7, os.SEEK_END)
            assert stream.read() == b"habari\n"


def test_stores_serve_plain_packed_and_archived_files(tmp_path: Path):
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/x.gz", gzip.compress(TEXT))
    store.pipe("/bucket/x.tar", tar(tmp_path / "x.tar", {"a": TEXT}).read_bytes())
    assert read_all("memory://bucket/x.gz") == TEXT
    assert read_all("memory://bucket/x.tar!a") == TEXT
    assert exists("memory://bucket/x.gz") and not exists("memory://bucket/y")
    first = identity("memory://bucket/x.gz")
    assert identity("memory://bucket/x.gz") == first
    store.pipe("/bucket/x.gz", gzip.compress(TEXT + b"more"))
    assert identity("memory://bucket/x.gz") != first


def test_store_failures_are_named(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataError, match=r"memory://bucket/absent: no such object"):
        read_all("memory://bucket/absent")
    with pytest.raises(UserError, match="nosuch://x/y: not an address"):
        read_all("nosuch://x/y")

    def missing(*_: object) -> object:
        raise ImportError("install gcsfs")

    monkeypatch.setattr(fsspec, "open", missing)
    with pytest.raises(UserError, match=r"hf needs a package that is not installed \(install gcsfs\)"):
        read_all("hf://datasets/a/b/c.tsv")

    def refused(*_: object) -> object:
        raise PermissionError("403")

    monkeypatch.setattr(fsspec, "open", refused)
    with pytest.raises(InfrastructureError, match=r"refuses or does not answer \(403\)"):
        read_all("hf://datasets/a/b/c.tsv")
