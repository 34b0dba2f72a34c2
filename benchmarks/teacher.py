"""What training a teacher is worth: ``python -m benchmarks.teacher``, a quarter of an hour on two cores.

all-MiniLM-L6-v2 is trained as a late-interaction teacher on medical questions with their answers (MedQuAD), one BM25
negative for each, and then searches the answers about diseases that it was not trained on. The rival is the same model
untouched. Both score by MaxSim. A disease with all its questions is either trained on or tested on.
"""

import argparse
import json
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.running import heading, table
from optical.data.fetch.resolve import resolve
from optical.data.files.open import text_lines
from optical.data.registry.datasets import dataset
from optical.evaluation.significance import bootstrap_interval, paired_randomisation
from optical.index.embeddings import Embeddings
from optical.index.scoring import MaxSim
from optical.model.encode import encode_texts
from optical.model.storage import load_encoder
from optical.model.weights import find_weights
from optical.recipe import PretrainedTraining, Recipe, TeacherConfig
from optical.train.config import TrainConfig
from pipelines.environment import Settings
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes.demo import demo
from pipelines.session import Session

_WEIGHTS = "all-minilm-l6-v2"
_TESTED = 450
_DEPTH = 10
_RESAMPLES = 100_000
_AT_ONCE = 256
_LONGEST_LINE = 1 << 20


@dataclass(frozen=True)
class Split:
    """Question-answer pairs to train on, and the answers and questions of other diseases to test on.

    Args:
        pairs: question and answer.
        answers: that are searched, each once.
        questions: each with the numbers of the answers to it.
    """

    pairs: list[tuple[str, str]]
    answers: list[str]
    questions: dict[str, set[int]]


def main(arguments: list[str]) -> None:
    """Train, search with both, and print their MRR@10 and the test of the difference."""
    chosen = parse(arguments)
    print(heading("benchmarks.teacher", arguments, ("torch", "ray", "transformers")), flush=True)
    settings = Settings(runs_dir=chosen.runs_dir)
    [file] = resolve(dataset("medquad"), settings.cache, settings.mirror).paths
    split = split_by_disease(_rows(file), chosen.pairs)
    print(f"{len(split.pairs):,} pairs; {len(split.questions):,} questions, {len(split.answers):,} answers", flush=True)
    pairs = chosen.runs_dir / "medquad-train.tsv"
    pairs.parent.mkdir(parents=True, exist_ok=True)
    pairs.write_text("".join(f"{question}\t{answer}\n" for question, answer in split.pairs), encoding="utf-8")
    with Session(Workspace(recipe(pairs), settings)) as session:
        session.make(TEACHER)
        trained, seconds = session.workspace.path(TEACHER), session.seconds
    before, after = (reciprocal_ranks(folder, split) for folder in (find_weights(_WEIGHTS, None), trained))
    gain = bootstrap_interval(after - before, 10_000, seed=0)
    p = paired_randomisation(after, before, _RESAMPLES, seed=0)
    rows = [
        ("untouched", f"{before.mean():.4f}", "", ""),
        ("trained", f"{after.mean():.4f}", f"{gain.low:+.4f} to {gain.high:+.4f}", f"{p:.5f}"),
    ]
    print(f"{sum(seconds.values()):,.0f} s of work\n\n{table(('teacher', 'MRR@10', 'gain, 95 %', 'p'), rows)}")


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.teacher", description=__doc__)
    parser.add_argument("--pairs", type=int, default=1920, help="question-answer pairs to train on")
    parser.add_argument("--runs-dir", type=Path, default=Path("runs"), help="folder of the runs")
    return parser.parse_args(arguments)


def recipe(pairs: Path) -> Recipe:
    """The recipe whose teacher is trained on a file of question-answer pairs; no more of it is made."""
    train = TrainConfig(batch_pairs=32, source_length=32, target_length=128, learning_rate=2e-5, checkpoint_steps=50)
    training = PretrainedTraining(pairs=(str(pairs),), negatives=1, train=train)
    return replace(demo(), name="medical-teacher", teacher=TeacherConfig(weights=_WEIGHTS, training=training))


def split_by_disease(rows: Sequence[dict[str, str]], pairs: int) -> Split:
    """The questions about ``_TESTED`` diseases drawn with seed 0 are tested; of the others ``pairs`` are trained on.

    No question and no answer is on both sides, and none occurs twice among the pairs.
    """
    draw = random.Random(0)
    diseases = sorted({row["focus"].casefold().strip() for row in rows})
    tested = set(draw.sample(diseases, min(_TESTED, len(diseases) // 2)))
    numbers: dict[str, int] = {}
    questions: dict[str, set[int]] = {}
    others = []
    for row in rows:
        question, answer = (" ".join(row[name].split()) for name in ("question", "answer"))
        if answer and row["focus"].casefold().strip() in tested:
            questions.setdefault(question, set()).add(numbers.setdefault(answer, len(numbers)))
        elif answer:
            others.append((question, answer))
    draw.shuffle(others)
    first = {question: answer for question, answer in reversed(others) if question not in questions}
    unlike = {answer: question for question, answer in first.items() if answer not in numbers}
    return Split([(question, answer) for answer, question in unlike.items()][:pairs], list(numbers), questions)


@torch.no_grad()
def reciprocal_ranks(folder: Path, split: Split) -> np.ndarray:
    """Reciprocal rank of the first right answer of each question among the first ten, by MaxSim."""
    encoder = load_encoder(folder).eval()
    found = [vectors.numpy() for vectors in encode_texts(encoder, split.answers, "document", 128)]
    offsets = np.concatenate([[0], np.cumsum([len(vectors) for vectors in found])])
    docids = tuple(map(str, range(len(found))))
    scorer = MaxSim(Embeddings(folder, "", docids, np.concatenate(found), offsets))
    queries = [vectors.numpy() for vectors in encode_texts(encoder, list(split.questions), "query", 64)]
    parts = [scorer.scores(queries[start : start + _AT_ONCE]) for start in range(0, len(queries), _AT_ONCE)]
    best = np.argsort(-np.concatenate(parts), axis=1, kind="stable")[:, :_DEPTH]
    right = [np.isin(row, list(gold)) for row, gold in zip(best, split.questions.values(), strict=True)]
    return np.array([1 / (1 + row.argmax()) if row.any() else 0.0 for row in right])


def _rows(file: Path) -> list[dict[str, str]]:
    return [json.loads(line) for _, line in text_lines(file, _LONGEST_LINE)]


if __name__ == "__main__":
    main(sys.argv[1:])
