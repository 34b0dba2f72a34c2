"""The MLflow mirror: it copies what it can, and whatever the store does, the caller never notices."""

import logging
import math
import threading
from types import SimpleNamespace

import pytest

from optical.tracking.mlflow_mirror import MlflowMirror, default_uri


class Store:
    """A stand-in for MlflowClient that can fail, or hang until released."""

    def __init__(self, failures=0, gate=None):
        self.failures, self.gate, self.batches, self.ended = failures, gate, [], []

    def get_experiment_by_name(self, name):
        if self.gate is not None:
            self.gate.wait(30)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no route to host")
        return SimpleNamespace(experiment_id="1")

    def create_run(self, experiment_id, run_name, tags):
        self.tags = tags
        return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

    def log_batch(self, run_id, metrics, params, tags):
        self.batches.append((metrics, params, tags))

    def set_terminated(self, run_id, status):
        self.ended.append(status)


def _mirror(store, **options):
    return MlflowMirror("http://nowhere", "demo", "a run", make_client=lambda uri: store, **options)


def test_default_uri_is_the_environment_or_a_file_in_the_runs_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://tracker:5000")
    assert default_uri(tmp_path) == "http://tracker:5000"
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert default_uri(tmp_path) == f"sqlite:///{tmp_path}/mlflow.db"


def test_a_hanging_store_holds_up_nobody_and_the_overflow_is_counted(caplog):
    gate = threading.Event()
    store = Store(gate=gate)
    mirror = _mirror(store, queue_size=2)
    mirror.log_params({"seed": 0})
    for step in range(10):
        mirror.log_metrics({"loss": 1.0}, step)
    mirror.set_tags({"recipe": "demo"})
    assert not store.batches
    assert mirror.dropped >= 9
    mirror.finish(timeout=0.05)
    assert not store.ended
    gate.set()
    assert f"dropped={mirror.dropped}" in caplog.text


def test_three_failures_open_the_circuit_with_one_warning(caplog):
    caplog.set_level(logging.WARNING)
    store = Store(failures=100)
    mirror = _mirror(store)
    for step in range(50):
        mirror.log_metrics({"loss": 1.0}, step)
    mirror._thread.join(5)
    assert mirror.open_circuit
    assert store.failures == 97
    mirror.set_tags({"late": "yes"})
    mirror.finish(timeout=60)
    assert [record.message.split(" failures")[0] for record in caplog.records] == ["mlflow mirror off after 3"]
    assert mirror.wait_for_run(0) is None


def test_failures_count_only_in_a_row():
    store = Store()
    mirror = _mirror(store)
    for step in range(9):
        if step % 3:
            mirror.log_artifacts("a store without artifacts")
        else:
            mirror.log_metrics({"loss": 1.0}, step)
    mirror.finish(timeout=60)
    assert (len(store.batches), mirror.dropped, mirror.open_circuit) == (3, 6, False)


def test_two_failures_are_forgiven():
    store = Store(failures=2)
    mirror = _mirror(store)
    for step in range(4):
        mirror.log_metrics({"loss": float(step)}, step)
    mirror.finish("FAILED", timeout=60)
    assert [metrics[0].value for metrics, _, _ in store.batches] == [2.0, 3.0]
    assert (store.ended, mirror.dropped) == (["FAILED"], 2)


def test_a_journal_row_becomes_metrics_of_its_stage_and_non_finite_ones_tags():
    store = Store()
    mirror = _mirror(store)
    mirror({"event": "checkpoint", "step": 7})
    row = {"event": "step", "stage": "student", "step": 7, "steps": 9, "time": 1.0, "pairs": 64, "loss": None}
    mirror(row | {"non_finite": {"loss": "nan"}})
    mirror.log_metrics({"norm": math.inf, "note": "text", "flag": True}, 8)
    mirror.finish(timeout=60)
    (metrics, _, tags), (none, _, more_tags) = store.batches
    assert [(m.key, m.value, m.step) for m in metrics] == [("student/pairs", 64.0, 7)]
    assert [(t.key, t.value) for t in tags] == [("non_finite.student/loss", "nan at step 7")]
    assert none == []
    assert [(t.key, t.value) for t in more_tags] == [("non_finite.norm", "inf at step 8")]


def test_nested_params_are_flattened_cut_and_sent_a_hundred_at_a_time():
    store = Store()
    mirror = _mirror(store)
    mirror.log_params({"train": {f"field{n}": n for n in range(150)}, "long": "x" * 900})
    mirror.finish(timeout=60)
    sent = {param.key: param.value for _, params, _ in store.batches for param in params}
    assert [len(params) for _, params, _ in store.batches] == [100, 51]
    assert (sent["train.field149"], len(sent["long"])) == ("149", 500)


@pytest.mark.filterwarnings("ignore")
def test_sqlite_holds_params_metrics_artifacts_a_child_and_a_resumed_run(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    runs, uri = tmp_path / "runs", default_uri(tmp_path / "runs")
    runs.mkdir()
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "table.txt").write_text("MAP 0.5\n")
    keep = runs / "demo" / "mlflow.run"

    mirror = MlflowMirror(uri, "demo", "parent", run_id_file=keep)
    mirror.log_params({"seed": 0})
    for step in (1, 2):
        mirror.log_metrics({"loss": 1.0 / step}, step)
    mirror.log_artifacts(tmp_path / "report")
    mirror.finish("KILLED", timeout=60)
    resumed = MlflowMirror(uri, "demo", "parent", run_id_file=keep)
    resumed.log_params({"seed": 1, "workers": 2})
    resumed.log_metrics({"loss": 0.25}, 4)
    resumed.finish(timeout=60)
    child = MlflowMirror(uri, "demo", "child", parent_run_id=mirror.run_id)
    child.set_tags({"trial": 3})
    child.finish(timeout=60)

    assert "mlflow.store" not in capsys.readouterr().err, "the making of a store is nobody's news"
    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=uri)
    assert resumed.run_id == mirror.run_id == keep.read_text().strip()
    run = client.get_run(mirror.run_id)
    assert (run.info.status, run.data.params) == ("FINISHED", {"seed": "0", "workers": "2"})
    history = client.get_metric_history(mirror.run_id, "loss")
    assert sorted((point.step, point.value) for point in history) == [(1, 1.0), (2, 0.5), (4, 0.25)]
    tags = client.get_run(child.run_id).data.tags
    assert (tags["mlflow.parentRunId"], tags["trial"]) == (mirror.run_id, "3")
    assert len(list((runs / "mlartifacts").rglob("table.txt"))) == 1
