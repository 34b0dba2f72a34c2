"""Which Ray a command joins."""

import pytest
import ray

from optical.cluster import connect
from optical.config import Resources
from optical.errors import InfrastructureError


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


def test_a_submitted_command_joins_its_own_cluster_as_it_is(asked, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    connect(Resources(num_workers=50))
    assert asked[0].keys() == {"logging_level", "log_to_driver"}


def test_a_cluster_that_does_not_answer_is_named(asked, monkeypatch):
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:6379")
    monkeypatch.setattr(ray, "init", lambda **_: (_ for _ in ()).throw(ConnectionError("no\nanswer")))
    with pytest.raises(InfrastructureError, match=r"127\.0\.0\.1:6379: Ray cannot be reached \(no answer\); unset"):
        connect(Resources())
