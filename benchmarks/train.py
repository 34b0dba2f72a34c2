"""Distillation, pairs a second: ``python -m benchmarks.train``, some six minutes on two cores.

Our step, with the teacher in it and with a teacher cache, beside sentence-transformers' multilingual MSE distillation:
the same backbone (all-MiniLM-L6-v2 with 8,000 more word pieces), pairs, batch size, lengths and threads, in turn, one
epoch a round; medians. Then the share of a step that waits for data, from steps of ``swahili_minilm``, and the
share of the transport loss. The pairs are Global Voices Swahili from ``OPTICAL_MIRROR``, or generated without it.
Last, a step of a large multilingual student (``train_large``); ``--large-only`` measures that alone.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import ray
import torch
from torch import Tensor

from benchmarks import train_large
from benchmarks.running import heading, in_rounds, table
from benchmarks.sentences import DATASET, RECIPE, VOCABULARY_PAIRS, texts
from benchmarks.train_peers import MseRun, distil, missing
from optical.cluster import connect
from optical.data.batches.batch import PairBatch, collate
from optical.data.batches.feed import RankShare, rank_batches
from optical.data.batches.schedule import Schedule
from optical.data.batches.teacher_cache import Encoded, TeacherCache
from optical.data.batches.token_shards import TOKENISED, open_tokens
from optical.data.batches.tokenise import write_tokens
from optical.model.storage import load_encoder
from optical.model.text.frame import Frames
from optical.model.text.reader import TextReader, load_reader
from optical.model.vocabulary.translation import extended_student
from optical.model.weights import find_weights
from optical.objectives.base import Embed
from optical.objectives.ot import TransportDistillation
from optical.resources import Resources
from optical.tracking.journal import rows
from optical.train.encode_targets import TargetEncoder
from optical.train.job import TrainJob
from optical.train.loop import Worker, write_encoder

_DEV_PAIRS = 16
_MADE_FROM = "0" * 64
_REPEATS = 20


@dataclass(frozen=True)
class Setting:
    """What all contestants train from: folders, and the pairs they train on."""

    folder: Path
    teacher: Path
    sources: list[str]
    targets: list[str]
    data: str

    @property
    def start(self) -> Path:
        """The student before distillation."""
        return self.folder / "start"


@dataclass(frozen=True)
class Row:
    """One way to distil: what the teacher does, and what of each pair the student reads."""

    contestant: str
    teacher: str
    student_reads: str
    pairs_per_second: float


def main(arguments: list[str]) -> None:
    """Prepare, measure, print the tables, and write the figures where they are asked for."""
    chosen = parse(arguments)
    warnings.filterwarnings("ignore")
    packages = ("torch", "ray", "transformers", "sentence-transformers", "accelerate")
    print(heading("benchmarks.train", arguments, packages), flush=True)
    figures = {} if chosen.large_only else _measured_on_ray(chosen)
    large = train_large.measure(chosen.rounds)
    print(f"\n{table(*train_large.report(large))}")
    figures["large"] = [asdict(row) for row in large]
    if chosen.json:
        chosen.json.write_text(json.dumps(figures, indent=1))


def _measured_on_ray(chosen: argparse.Namespace) -> dict:
    with tempfile.TemporaryDirectory(prefix="optical-train-") as scratch:
        connect(Resources())
        try:
            return _measure(Path(scratch), chosen)
        finally:
            ray.shutdown()


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=__doc__)
    parser.add_argument("--pairs", type=int, default=256, help="pairs of every contestant's epoch, 64 a step")
    parser.add_argument("--rounds", type=int, default=3, help="rounds")
    parser.add_argument("--wait-steps", type=int, default=36, help="steps of the recipe; data comes 32 steps a block")
    parser.add_argument("--large-only", action="store_true", help="measure the large student alone")
    parser.add_argument("--json", type=Path, help="write every figure to this file")
    chosen = parser.parse_args(arguments)
    if min(chosen.pairs // 64, chosen.rounds, chosen.wait_steps // 2) < 1:
        parser.error("--pairs has to be at least 64, --rounds 1 and --wait-steps 2")
    return chosen


def _measure(folder: Path, chosen: argparse.Namespace) -> dict:
    setting, corpus = _prepare(folder, chosen.pairs)
    print(f"{setting.data}; {RECIPE.train.batch_pairs} pairs a step\n", flush=True)
    runs = _rounds(setting, chosen.rounds)
    measured = _rows(runs, chosen.pairs)
    print(table(*report(measured)))
    print(
        "\nThe cache was made beforehand, and so were ready labels. sentence-transformers pulls one vector a sentence, "
        "OPTICAL one a token, so the students differ; their retrieval (AfriQA MRR) is not compared here. "
        f"{f'Left out: sentence-transformers: {missing()}' if missing() else ''}\n",
        flush=True,
    )
    step = RECIPE.train.batch_pairs / measured[0].pairs_per_second
    shares = {"transport_loss": _transport_seconds(setting) / step}
    shares |= _waiting(setting, corpus, chosen.wait_steps)
    print(table(["share of a step", "%"], [[name, f"{100 * share:.2f}"] for name, share in shares.items()]))
    return {"rows": [asdict(row) for row in measured], "shares": shares}


def _prepare(folder: Path, pairs: int) -> tuple[Setting, Path]:
    """Corpus, extended student, tokens of the corpus and of the contestants' pairs, and the teacher cache of these."""
    found, data = texts(folder)
    teacher = find_weights(RECIPE.teacher.weights)
    some = found[:: max(1, len(found) // VOCABULARY_PAIRS)]
    student = extended_student(load_encoder(teacher), *map(list, zip(*some, strict=True)), RECIPE.student.vocabulary)
    write_encoder(student, folder / "start", _MADE_FROM)
    chosen = found[:: len(found) // (pairs + _DEV_PAIRS)][: pairs + _DEV_PAIRS]
    held_out = set(np.linspace(0, len(chosen) - 1, _DEV_PAIRS).astype(int).tolist())
    sources, targets = map(list, zip(*(pair for row, pair in enumerate(chosen) if row not in held_out), strict=True))
    setting = Setting(folder, teacher, sources, targets, data)
    for name, kept in (("tokens", chosen), ("corpus", found)):
        readers = student.reader, load_reader(teacher)
        frames = Frames(*(reader.frames["query"] for reader in readers))
        write_tokens(folder / name, _MADE_FROM, [_tokenised(kept, *readers)], frames, len(kept), _DEV_PAIRS)
    _make_cache(setting)
    return setting, folder / "corpus"


def _tokenised(pairs: list[tuple[str, str]], student: TextReader, teacher: TextReader) -> pa.Table:
    sources, targets = zip(*pairs, strict=True)
    ids = [student.encode(sources, "query"), teacher.encode(targets, "query"), student.encode(targets, "query")]
    return pa.table([pa.repeat(DATASET, len(pairs)), *ids], schema=TOKENISED)


def _cache(folder: Path) -> TeacherCache:
    return TeacherCache(folder / "teacher-cache", _MADE_FROM, RECIPE.train.target_length)


def _make_cache(setting: Setting) -> None:
    tokens = open_tokens(setting.folder / "tokens")
    encoder = TargetEncoder(setting.teacher, tokens, RECIPE.train.target_length, torch.get_num_threads(), False)

    def encoded() -> Iterator[Encoded]:
        for block in encoder(pa.table({"group": np.arange(len(tokens.shard))})):
            yield from block.to_pylist()

    _cache(setting.folder).write(tokens, range(len(tokens.shards)), encoder.teacher.dim, encoded())


def _rounds(setting: Setting, rounds: int) -> dict[str, list]:
    contestants = {
        "asked": partial(_ours, setting, setting.folder / "tokens", None),
        "cached": partial(_ours, setting, setting.folder / "tokens", _cache(setting.folder)),
    }
    if not missing():
        mse = partial(distil, setting.start, setting.teacher, setting.sources, setting.targets, RECIPE.train)
        contestants |= {"both": partial(mse, True), "source": partial(mse, False)}
    return in_rounds(contestants, rounds)


def _ours(setting: Setting, tokens: Path, cache: TeacherCache | None, steps: int | None = None) -> list[dict]:
    """The journal's steps of one epoch, or of its first ``steps``, through the trainer's own loop and Ray Data."""
    with tempfile.TemporaryDirectory(dir=setting.folder) as scratch:
        job = TrainJob(
            fingerprint=_MADE_FROM,
            tokens=tokens,
            start=setting.start,
            teacher=setting.teacher,
            teacher_cache=cache,
            folder=Path(scratch),
            train=replace(RECIPE.train, checkpoint_steps=10_000, dev_steps=10_000),
            objective=RECIPE.objective,
        )
        worker = Worker(job)
        worker.run(lambda start: islice(rank_batches(worker.schedule, start, 0, 1, worker.targets), steps))
        return [row for row in rows(job.journal) if row["event"] == "step"]


def _rows(runs: dict[str, list], pairs: int) -> list[Row]:
    """Pairs a second of medians over rounds. The first batch is ready before anybody's clock starts."""
    measured = []
    for name, teacher in (("asked", "in every step"), ("cached", "cached")):
        epochs = [sum(step["seconds"] for step in steps) - steps[0]["wait_seconds"] for steps in runs[name]]
        measured.append(Row("optical", teacher, "source", _speed(pairs, epochs)))
    for name, reads in (("both", "source and target"), ("source", "source")):
        epochs: list[MseRun] = runs.get(name, [])
        if epochs:
            made = [run.label_seconds + run.train_seconds for run in epochs]
            measured.append(Row("sentence-transformers", "labels made", reads, _speed(pairs, made)))
            ready = [run.train_seconds for run in epochs]
            measured.append(Row("sentence-transformers", "labels ready", reads, _speed(pairs, ready)))
    return measured


def _speed(pairs: int, seconds: list[float]) -> float:
    return pairs / statistics.median(seconds)


def report(measured: list[Row]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells of the table; like is compared with like: a teacher at work, or its work done before."""
    asked, cached = (row.pairs_per_second for row in measured[:2])
    cells = []
    for row in measured:
        ours = asked if row.teacher in ("in every step", "labels made") else cached
        ratio = f"{ours / row.pairs_per_second:.2f}"
        cells.append([row.contestant, row.teacher, row.student_reads, f"{row.pairs_per_second:.1f}", ratio])
    return ["contestant", "teacher", "student reads", "pairs/s", "optical is x faster"], cells


def _transport_seconds(setting: Setting) -> float:
    """Mean seconds of loss, solver and gradient over the contestants' batches; of each the median of twenty.

    This is the objective of the recipe with the embeddings of both sides given.
    """
    schedule = Schedule(open_tokens(setting.folder / "tokens"), RECIPE.train)
    frames = schedule.tokens.frames
    student = load_encoder(setting.start).eval()
    objective = TransportDistillation(load_encoder(setting.teacher), RECIPE.objective)
    medians = []
    for block in RankShare.of(schedule).blocks(schedule.stretches(0)[0]):
        for batch in collate(block, frames):
            with torch.no_grad():
                source = student(batch.source.ids, batch.source.mask)
                target = objective.teacher(batch.target.ids, batch.target.mask)
            given = replace(batch, target_embeddings=target)
            embed = partial(_given, source.requires_grad_(True))
            medians.append(statistics.median(_seconds(objective, embed, given) for _ in range(_REPEATS)))
    return statistics.mean(medians)


def _given(embeddings: Tensor, ids: Tensor, mask: Tensor) -> Tensor:
    """An encoder that has its embeddings already."""
    return embeddings


def _seconds(objective: TransportDistillation, embed: Embed, batch: PairBatch) -> float:
    started = time.perf_counter()
    objective(embed, batch).loss.backward()
    return time.perf_counter() - started


def _waiting(setting: Setting, corpus: Path, steps: int) -> dict[str, float]:
    """Of the recipe's steps after the first, the time spent waiting for a batch; the first waits for Ray Data."""
    first, *rest = _ours(setting, corpus, None, steps)
    share = sum(row["wait_seconds"] for row in rest) / sum(row["seconds"] for row in rest)
    print(f"first batch after {first['wait_seconds']:.1f} s, once; the steps after it: {len(rest)}\n")
    return {"waiting_for_data": share}


if __name__ == "__main__":
    main(sys.argv[1:])
