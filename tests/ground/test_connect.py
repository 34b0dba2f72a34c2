"""Which Ray a command joins."""

import os
import socket
import sys
from collections.abc import Iterator

import pytest
import ray

from optical.cluster import connect
from optical.errors import InfrastructureError
from optical.resources import Resources


@pytest.fixture
def listening() -> Iterator[str]:
    """An address of this machine at which something answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path) -> list[dict]:
    """What Ray is asked for; none is started."""
    calls: list[dict] = []
    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", lambda **given: calls.append(given))
    monkeypatch.setenv("HOME", str(tmp_path))
    return calls


def test_a_local_command_never_joins_a_cluster_that_happens_to_run_here(asked, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    connect(Resources(num_workers=50), 100)
    assert asked[0]["address"] == "local"
    assert (asked[0]["num_cpus"], asked[0]["object_store_memory"]) == (52, 100)


def test_a_submitted_command_joins_its_own_cluster_as_it_is(asked, listening, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", listening)
    connect(Resources(num_workers=50))
    assert asked[0].keys() == {"logging_level", "log_to_driver"}


def test_a_cluster_that_does_not_answer_is_named(asked, listening, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", listening)
    monkeypatch.setattr(ray, "init", lambda **_: (_ for _ in ()).throw(ConnectionError("no\nanswer")))
    with pytest.raises(InfrastructureError, match=rf"{listening}: Ray cannot be reached \(no answer\); unset"):
        connect(Resources())


@pytest.mark.parametrize("kind", [Exception, RuntimeError, ValueError])
def test_a_local_ray_that_is_not_up_in_time_is_no_bug(asked, monkeypatch, kind):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", lambda **_: (_ for _ in ()).throw(kind("The current node\ntimed out")))
    with pytest.raises(InfrastructureError, match=r"^a local Ray: does not start \(The current node timed out\); see"):
        connect(Resources())


def test_warnings_of_the_raylet_are_kept_from_the_results(asked, monkeypatch, capfd):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray._private.worker, "_worker_logs_enabled", True)
    connect(Resources())
    # What Ray calls with an error message of the raylet.
    message = {"lines": ["WARNING: 8 PYTHON worker processes"], "pid": "raylet", "is_err": False, "ip": "", "job": ""}
    ray._private.worker.print_worker_logs(message, sys.stdout)
    assert capfd.readouterr().out == ""


def test_another_failure_at_the_start_stays_what_it_is(asked, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", lambda **_: (_ for _ in ()).throw(TypeError("wrong argument")))
    with pytest.raises(TypeError, match="wrong argument"):
        connect(Resources())


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1"])
def test_ray_is_not_asked_for_a_cluster_at_whose_address_nothing_listens(asked, address, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", address)
    with pytest.raises(InfrastructureError, match=r"refused\); unset RAY_ADDRESS"):
        connect(Resources())
    assert asked == []


def test_what_native_code_says_while_ray_starts_is_told_to_those_who_ask(asked, monkeypatch, capfd, caplog):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(ray, "init", lambda **_: os.write(2, b"Set ray log level\n"))
    with caplog.at_level("INFO"):
        connect(Resources())
    assert "Set ray log level" in caplog.text
    os.write(2, b"ours\n")
    assert capfd.readouterr().err == "ours\n"
