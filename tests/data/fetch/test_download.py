"""Downloads: continued where they broke off, restarted when the file changed, and never half there."""

import hashlib
import json
import multiprocessing
import os
import resource
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from optical.data.fetch.download import Unreachable
from optical.data.fetch.place import fetch
from optical.errors import DataError, InfrastructureError

CONTENT = os.urandom(3 << 20)
SHA = hashlib.sha256(CONTENT).hexdigest()


class Origin(ThreadingHTTPServer):
    """Serves one file with ranges; breaks off after ``limit`` bytes of each answer when told to."""

    content = CONTENT
    tag: str | None = '"one"'
    limit: int | None = None
    lie: int = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server, given = self.server, self.headers.get("Range")
        server.ranges.append(given)
        start = int(given[6:-1]) if given and self.headers.get("If-Range") == server.tag else 0
        body = server.content[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body) + server.lie))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(server.content) - 1}/{len(server.content)}")
        if server.tag:
            self.send_header("ETag", server.tag)
        self.end_headers()
        self.wfile.write(body[: server.limit])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def get(origin: Origin, folder: Path, sha256: str | None = SHA, **bounds: int) -> Path:
    fetch(f"http://127.0.0.1:{origin.server_port}/x", folder / "x", sha256, inflate=False, **bounds)
    return folder / "x"


def test_a_broken_download_is_continued_by_the_next_run(tmp_path: Path, origin: Origin):
    origin.limit = 1 << 19
    with pytest.raises(Unreachable, match="broke off after 1572864 bytes .*the next run continues"):
        get(origin, tmp_path)
    assert not (tmp_path / "x").exists()
    assert origin.ranges == [None, "bytes=524288-", "bytes=1048576-"]
    origin.limit = None
    assert get(origin, tmp_path).read_bytes() == CONTENT
    assert origin.ranges[3:] == ["bytes=1572864-"]
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_that_changed_meanwhile_is_fetched_from_its_beginning(tmp_path: Path, origin: Origin):
    origin.limit = 1 << 19
    with pytest.raises(Unreachable):
        get(origin, tmp_path)
    origin.content, origin.tag, origin.limit = os.urandom(1 << 20), '"two"', None
    assert get(origin, tmp_path, None).read_bytes() == origin.content


def test_without_a_validator_nothing_is_continued(tmp_path: Path, origin: Origin):
    origin.tag, origin.limit = None, 1 << 19
    with pytest.raises(Unreachable):
        get(origin, tmp_path)
    assert origin.ranges == [None] * 3


def test_a_part_of_another_address_is_not_continued(tmp_path: Path, origin: Origin):
    (tmp_path / ".x.part").write_bytes(b"other")
    (tmp_path / ".x.part.json").write_text(json.dumps({"address": "http://other/x", "validator": '"one"', "bytes": 9}))
    assert get(origin, tmp_path).read_bytes() == CONTENT
    assert origin.ranges == [None]


def test_a_whole_part_needs_no_further_request(tmp_path: Path, origin: Origin):
    address = f"http://127.0.0.1:{origin.server_port}/x"
    (tmp_path / ".x.part").write_bytes(CONTENT)
    note = {"address": address, "validator": '"one"', "bytes": len(CONTENT)}
    (tmp_path / ".x.part.json").write_text(json.dumps(note))
    assert get(origin, tmp_path).read_bytes() == CONTENT
    assert origin.ranges == []


def test_a_wrong_hash_leaves_nothing(tmp_path: Path, origin: Origin):
    with pytest.raises(DataError, match="the registry promises"):
        get(origin, tmp_path, "0" * 64)
    assert list(tmp_path.iterdir()) == []


def test_fewer_bytes_than_announced_are_no_file(tmp_path: Path, origin: Origin):
    origin.lie = 5
    with pytest.raises(Unreachable):
        get(origin, tmp_path, None)
    assert not (tmp_path / "x").exists()


def test_too_large_a_file_is_refused(tmp_path: Path, origin: Origin):
    with pytest.raises(DataError, match="more than 1048576 bytes"):
        get(origin, tmp_path, max_bytes=1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_full_is_told_from_a_connection_that_breaks(tmp_path: Path, origin: Origin):
    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        try:
            get(origin, tmp_path)
        except InfrastructureError as error:
            os._exit(7 if "cannot be written" in str(error) else 8)

    process = multiprocessing.get_context("fork").Process(target=small_disk)
    process.start()
    process.join(60)
    assert process.exitcode == 7
    assert list(tmp_path.iterdir()) == []


def test_two_processes_fetch_it_once(tmp_path: Path, origin: Origin):
    fork = multiprocessing.get_context("fork")
    workers = [fork.Process(target=get, args=(origin, tmp_path)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert (tmp_path / "x").read_bytes() == CONTENT
    assert origin.ranges == [None]
