"""What the same bitext buys: ``python -m benchmarks.quality``, twelve minutes on two cores with 2,000 pairs.

The ``swahili_minilm`` recipe on the first pairs of its news, and sentence-transformers' multilingual MSE distillation
on the same clean pairs, from the same weights (all-MiniLM-L6-v2 with translated word pieces), for as many epochs, at
the same learning rate. Both then search AfriQA's English passages with its Swahili questions: OPTICAL's student by
MaxSim in the teacher's index, its peer by the cosine of one vector each, passages by the teacher that it was taught to
imitate.
``OPTICAL_MIRROR`` or the origins give the data. A folder of runs that is there already is gone on with.
"""

import argparse
import json
import subprocess
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.running import heading, table
from benchmarks.train_peers import distil, missing, sentence_encoder
from optical.data.bitext.shards import pair_shards
from optical.evaluation.measures import Measured, measure
from optical.evaluation.runs import Run, ScoredDoc, read_qrels, read_run
from optical.evaluation.significance import paired_randomisation
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT
from pipelines.graph.collection import COLLECTION
from pipelines.graph.student import STUDENT, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes.swahili_minilm import swahili_minilm

_NEWS = "globalvoices-swa"
_DEPTH = 100
_RESAMPLES = 10_000
_SYSTEMS = ("zero_shot", "student_start", "student", "english_ceiling")


def main(arguments: list[str]) -> None:
    """Run both, print the table, and write the figures where they are asked for."""
    chosen = parse(arguments)
    warnings.filterwarnings("ignore")
    packages = ("torch", "ray", "transformers", "sentence-transformers")
    print(heading("benchmarks.quality", arguments, packages), flush=True)
    if reason := missing():
        sys.exit(f"sentence-transformers cannot run: {reason}")
    workspace = _ours(chosen.pairs, chosen.runs_dir)
    qrels = read_qrels(workspace.path(COLLECTION) / "qrels.txt")
    systems = {name: measure(read_run(workspace.run_dir / "runs" / f"{name}.trec"), qrels) for name in _SYSTEMS}
    for both_sides, reads in ((True, "both sides"), (False, "source")):
        seconds, run = _peer(workspace, both_sides)
        systems[f"sentence-transformers ({reads})"] = measure(run, qrels)
        print(f"sentence-transformers, student reads {reads}: {seconds:,.0f} s of labels and training", flush=True)
    print("\n" + table(["system", "MAP", "MRR@10", "nDCG@10", "R@100", "p against optical (AP)"], _cells(systems)))
    if chosen.json:
        chosen.json.write_text(json.dumps({name: found.mean for name, found in systems.items()}, indent=1))


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--pairs", type=int, default=2000, help="clean pairs that both learn from, at least 512")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="folder of the runs")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    chosen = parser.parse_args(arguments)
    if chosen.pairs < 512:
        parser.error("--pairs has to be at least 512: 256 are held out")
    return chosen


def _ours(pairs: int, runs_dir: Path) -> Workspace:
    """Run the recipe by its own command; returns its workspace."""
    flags = ["--bitext.datasets", _NEWS, "--bitext.max-pairs", str(pairs), "--runs-dir", str(runs_dir)]
    started = time.perf_counter()
    command = [sys.executable, "-m", "pipelines", "evaluate", "swahili_minilm", *flags]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    recipe = swahili_minilm()
    recipe = replace(recipe, bitext=replace(recipe.bitext, datasets=(_NEWS,), max_pairs=pairs))
    workspace = Workspace(recipe, Settings(runs_dir=runs_dir))
    steps = [json.loads(line) for line in (workspace.folder(STUDENT) / "metrics.jsonl").open(encoding="utf-8")]
    trained, taken = sum(row["seconds"] for row in steps if row["event"] == "step"), time.perf_counter() - started
    print(f"optical: {trained:,.0f} s of steps, {taken:,.0f} s of the whole command", flush=True)
    return workspace


def _peer(workspace: Workspace, both_sides: bool) -> tuple[float, Run]:
    """Distil on the clean pairs and search; seconds of labels and training, and the run."""
    tables = [pq.read_table(shard, columns=["source", "target"]) for shard in pair_shards(workspace.path(BITEXT))]
    sources, targets = ([text for part in tables for text in part[side].to_pylist()] for side in ("source", "target"))
    folder = workspace.run_dir / "sentence-transformers"
    train = workspace.recipe.train
    taken = distil(workspace.path(STUDENT_START), workspace.path(TEACHER), sources, targets, train, both_sides, folder)
    teacher = sentence_encoder(workspace.path(TEACHER), workspace.recipe.teacher.document_length)
    student = sentence_encoder(folder, workspace.recipe.teacher.query_length)
    passages = pq.read_table(workspace.path(COLLECTION) / "passages.parquet").to_pydict()
    topics = pq.read_table(workspace.path(COLLECTION) / "topics.parquet").to_pydict()
    options = {"batch_size": 32, "show_progress_bar": False, "normalize_embeddings": True}
    scores = student.encode(topics["query"], **options) @ teacher.encode(passages["text"], **options).T
    scored = [
        ScoredDoc(qid, passages["docid"][place], float(row[place]))
        for qid, row in zip(topics["qid"], scores, strict=True)
        for place in np.argsort(-row, kind="stable")[:_DEPTH]
    ]
    return taken.label_seconds + taken.train_seconds, Run(scored)


def _cells(systems: dict[str, Measured]) -> list[list[str]]:
    ours = systems["student"].per_topic["AP"]
    cells = []
    for name, found in systems.items():
        pairs = zip(*((ours[qid], found.per_topic["AP"][qid]) for qid in ours), strict=True)
        p = "-" if name == "student" else f"{paired_randomisation(*pairs, _RESAMPLES, seed=0):.4f}"
        label = f"optical {name}" if name in _SYSTEMS else name
        cells.append([label, *(f"{found.mean[key]:.3f}" for key in ("AP", "RR@10", "nDCG@10", "R@100")), p])
    return cells


if __name__ == "__main__":
    main(sys.argv[1:])
