"""The whole road on Ray, small: prepare to report, resuming, two workers, campaigns."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import ir_measures
import pytest
from transformers import AutoModel, AutoTokenizer

from optical.artefacts import sha256_file
from optical.model.storage import load_encoder
from pipelines.__main__ import main
from pipelines.studies.__main__ import main as study
from tests.pooling import save_pooled
from tune.search import main as search

pytestmark = [pytest.mark.ray, pytest.mark.filterwarnings("ignore")]

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    *("--bitext.max-pairs", "500", "--bitext.dev-pairs", "50", "--train.epochs", "2", "--train.dev-steps", "10"),
    *("--train.checkpoint-steps", "5", "--teacher.scratch.train.epochs", "1", "--teacher.scratch.hidden", "32"),
    *("--teacher.scratch.dim", "16", "--evaluation.resamples", "200"),
]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("road")
    os.environ["OPTICAL_CACHE"] = str(folder / "cache")
    return folder / "runs"


def _run(runs, *flags, verb="run"):
    return main([verb, "demo", *SMALL, "--runs-dir", str(runs), *flags])


def _student(runs, name):
    return sha256_file(runs / name / "student" / "encoder" / "model.safetensors")


@pytest.fixture(scope="module")
def first(runs):
    assert _run(runs, "--run-name", "first") == 0
    return runs / "first"


def test_run_leaves_everything_it_promises(first):
    summary = json.loads((first / "summary.json").read_text())
    assert set(summary["measures"]) == {"zero_shot", "student", "english_ceiling"}
    assert set(summary["measures"]["student"]) == {"AP", "RR@10", "nDCG@10", "R@100"}
    assert summary["pairs"] == 500
    for name in ("report/report.html", "report/plan-1.svg", "work.jsonl", "runs/student.trec", "student/metrics.jsonl"):
        assert (first / name).is_file()
    assert (first.parent / "mlflow.db").is_file()


def test_a_second_run_prints_the_same_line_and_trains_nothing(first, runs, capsys):
    before = (first / "student" / "metrics.jsonl").read_bytes()
    assert _run(runs, "--run-name", "first", "--json") == 0
    said = json.loads(capsys.readouterr().out.strip().splitlines()[-1])
    assert said["measures"] == json.loads((first / "summary.json").read_text())["measures"]
    assert (first / "student" / "metrics.jsonl").read_bytes() == before


def test_one_worker_is_bit_reproducible_from_nothing(first, runs, tmp_path):
    assert _run(tmp_path, "--run-name", "again", verb="train") == 0
    assert _student(tmp_path, "again") == _student(runs, "first")


def test_two_workers_train_on_the_same_batches_to_the_same_loss(first, runs):
    assert _run(runs, "--run-name", "pair", "--num-workers", "2", verb="train") == 0
    rows = [_steps(runs / name / "student" / "metrics.jsonl") for name in ("first", "pair")]
    assert [row["pairs"] for row in rows[0]] == [row["pairs"] for row in rows[1]]
    for one, two in zip(*rows, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-2)


def test_candidates_are_made_beside_the_embeddings_that_are_there(first, runs, capsys):
    (embeddings,), before = runs.glob("shared/embeddings-*"), set(runs.glob("shared/[a-z]*"))
    assert not list(runs.glob("shared/candidates-*"))
    made = (embeddings / "manifest.json").stat().st_mtime_ns
    flags = ["--run-name", "proposed", "--index.search", "faiss", "--index.factory", "IVF8,SQ8", "--json"]
    assert _run(runs, *flags, verb="index") == 0
    assert json.loads(capsys.readouterr().out.strip().splitlines()[-1])["candidates_megabytes"] > 0
    (candidates,) = set(runs.glob("shared/[a-z]*")) - before
    assert candidates.name.startswith("candidates-")
    assert (embeddings / "manifest.json").stat().st_mtime_ns == made


def test_an_encoder_beside_the_student_gets_its_own_row_and_nothing_is_trained_anew(first, runs, capsys):
    pooled = save_pooled(load_encoder(first / "student" / "encoder"), runs.parent / "pooled")
    before = {folder.name for folder in runs.glob("shared/[a-z]*")}
    specs = [f"dense:{pooled}", f"late:{first / 'student' / 'encoder'}"]
    flags = ["--run-name", "beside", "--evaluation.pretrained", *specs]
    assert _run(runs, *flags) == 0
    said = capsys.readouterr()
    assert {name.split("-")[0] for name in {folder.name for folder in runs.glob("shared/[a-z]*")} - before} == {
        "embeddings",
        "ranking",
    }
    assert _student(runs, "beside") == _student(runs, "first")
    assert not (runs / "beside" / "student" / "checkpoints").exists()
    assert "student  that of" in said.err
    assert "search dense:pooled" in said.err and "search zero_shot" not in said.err
    rows = [line.split()[0] for line in said.out.splitlines()[1:6]]
    assert rows == ["zero_shot", "dense:pooled", "late:encoder", "student", "english_ceiling"]
    found = json.loads((runs / "beside" / "evaluation.json").read_text())
    assert set(found["gains"]) == {"zero_shot", "dense:pooled", "late:encoder", "english_ceiling"}
    assert (runs / "beside" / "runs" / "dense-pooled.trec").is_file()
    page = (runs / "beside" / "report" / "report.md").read_text()
    assert "The strongest rival beside it is" in page and "pretrained weights" in page
    card = (runs / "beside" / "export" / "README.md").read_text()
    assert "| dense:pooled |" in card and str(runs.parent) not in card.replace("\\", "")


def test_baselines_get_their_own_rows_and_nothing_is_trained_anew(first, runs, capsys):
    specs = ["bm25:query", "bm25:lexicon", "translate:lexicon", "fusion:student+bm25:lexicon"]
    before = {folder.name for folder in runs.glob("shared/[a-z]*")}
    assert _run(runs, "--run-name", "baselines", "--evaluation.baselines", *specs) == 0
    said = capsys.readouterr()
    made = {folder.name.split("-")[0] for folder in runs.glob("shared/[a-z]*") if folder.name not in before}
    assert made == {"lexicon", "translations", "ranking"}
    assert "student  that of" in said.err
    rows = [line.split()[0] for line in said.out.splitlines()[1:8]]
    assert rows == ["zero_shot", *specs[:3], "student", "english_ceiling", specs[3]]
    found = json.loads((runs / "baselines" / "evaluation.json").read_text())
    assert set(found["gains"]) == {"zero_shot", "english_ceiling", *specs}
    page = (runs / "baselines" / "report" / "report.md").read_text()
    assert "The strongest rival beside it is" in page and "by IBM Model 1 over the run's own clean" in page


def test_the_exported_student_loads_with_transformers(first):
    model = AutoModel.from_pretrained(first / "export")
    tokens = AutoTokenizer.from_pretrained(first / "export")("Nani alijenga daraja?", return_tensors="pt")
    assert model(**tokens).last_hidden_state.shape[-1] == 32


def test_a_campaign_names_its_best_trial(first, runs, capsys):
    flags = ["--finalists", "1", "--seeds", "1", "--first-share", "0.4", "--runs-dir", str(runs)]
    assert search(["demo", *SMALL, *flags, "--trials", "2", "--max-concurrent", "2", "--no-test"]) == 0
    said = capsys.readouterr()
    assert "tune  2 trainings of 12 steps" in said.err and "tune  1 trainings of all steps" in said.err
    (campaign,) = runs.glob("demo-campaign-*")
    found = json.loads((campaign / "report" / "trials.json").read_text())
    assert [trial["state"] for trial in found["trials"]] == ["finalist", "stopped"]
    # The best recipe is a run like any other: its command finds all that it needs.
    words = shlex.split(said.out.strip().splitlines()[-1].removeprefix("best: "))
    assert main([*words[3:], "--runs-dir", str(runs), "--json"]) == 0
    again = capsys.readouterr()
    assert "train student" not in again.err
    assert "student" in json.loads(again.out.strip().splitlines()[-1])["measures"]


def test_a_study_screens_and_compares_and_its_rerun_trains_nothing(first, runs, capsys):
    flags = ["--objectives", "ot", "pooled", "--rates", "1e-3", "--seeds", "0", "1", "--finalists", "0"]
    command = ["objectives", "demo", *SMALL, *flags, "--runs-dir", str(runs), "--json"]
    assert study(command) == 0
    said = capsys.readouterr()
    found = json.loads(said.out.strip().splitlines()[-1])
    folder = Path(found["page"]).parent
    assert {"comparison.html", "comparison.png", "table.tex", "study.json"} <= {file.name for file in folder.iterdir()}
    assert "every seed" in (folder / "comparison.md").read_text()
    cells = json.loads((folder / "study.json").read_text())["cells"]
    assert [(cell["system"], cell["seed"]) for cell in cells] == [("ot", 0), ("pooled", 0), ("ot", 1)]
    assert (runs / cells[0]["run"]).samefile(first) or _student(runs, cells[0]["run"]) == _student(runs, "first")
    name = "student (ot)"
    assert found["systems"][name]["mean"] == pytest.approx(_mean_by_ir_measures(runs, found["runs"][name]), abs=1e-12)
    assert study(command) == 0
    again = capsys.readouterr()
    assert json.loads(again.out.strip().splitlines()[-1]) == found
    assert "train student" not in again.err


def _mean_by_ir_measures(runs, folders) -> float:
    """MAP over topics and seeds, from the run files and judgements by ir_measures alone."""
    qrels = list(ir_measures.read_trec_qrels(str(next(runs.glob("shared/collection-*/qrels.txt")))))
    means = []
    for folder in folders:
        ranking = ir_measures.read_trec_run(str(Path(folder) / "runs" / "student.trec"))
        means.append(ir_measures.calc_aggregate([ir_measures.AP], qrels, ranking)[ir_measures.AP])
    return sum(means) / len(means)


@pytest.mark.chaos
def test_a_killed_driver_resumes_to_the_same_student(first, runs):
    command = [
        sys.executable,
        "-m",
        "pipelines",
        "train",
        "demo",
        *SMALL,
        "--runs-dir",
        str(runs),
        "--run-name",
        "killed",
    ]
    driver = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    checkpoints = runs / "killed" / "student" / "checkpoints"
    deadline = time.monotonic() + 200
    while not list(checkpoints.glob("step-*")):
        assert driver.poll() is None and time.monotonic() < deadline
        time.sleep(0.05)
    driver.send_signal(signal.SIGKILL)
    driver.wait()
    assert not (runs / "killed" / "student" / "encoder").exists()
    assert subprocess.run(command, cwd=ROOT, timeout=280).returncode == 0
    assert _student(runs, "killed") == _student(runs, "first")


def _steps(journal):
    return [row for line in journal.read_text().splitlines() if (row := json.loads(line))["event"] == "step"]
