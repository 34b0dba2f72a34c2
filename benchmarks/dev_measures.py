"""Which dev measure foretells the test: ``python -m benchmarks.dev_measures RUN RUN ...``.

Every run has a student that was tested. For each the candidates are computed from held-out bitext and the teacher
alone, and each candidate is correlated with the mean of the tested measure over all runs: over all of them, and
inside each objective.

A candidate compares two rankings of the same texts. The teacher ranks for an English sentence of the held-out bitext,
the student for its translation. The texts are the other English sentences, or 800 passages of the collection
without its topics and judgements. ``?`` stands for those sentences alone that are questions.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from scipy import stats

from benchmarks.running import heading, table
from optical.data.batches.batch import PairBatch, padded
from optical.data.batches.token_shards import read_split
from optical.errors import UserError
from optical.index.embeddings import Embeddings, open_embeddings
from optical.index.scoring import MaxSim
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder
from optical.model.text.padding import TokenBatch
from pipelines.environment import Settings
from pipelines.graph.passages import EMBEDDINGS
from pipelines.graph.student import STUDENT, TOKENS
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes.from_file import recipe_from_file

_DEPTHS = (1, 3, 10, 30)
_PERSISTENCE = 0.9
_AT_ONCE = 32
_PASSAGES = 800


@dataclass(frozen=True)
class Student:
    """A tested student: its run, its objective, the test's mean, and the candidates."""

    run: str
    objective: str
    tested: float
    candidates: Mapping[str, float]


def main(arguments: list[str]) -> None:
    """Compute the candidates of every run, print the correlations, and write the figures where they are asked for."""
    chosen = parse(arguments)
    print(heading("benchmarks.dev_measures", arguments, ("torch", "scipy")), flush=True)
    known = json.loads(chosen.json.read_text()) if chosen.json and chosen.json.exists() else {}
    students = []
    for run in chosen.runs:
        found = Student(**known[run.name]) if run.name in known else _measured(run)
        known[run.name] = vars(found)
        students.append(found)
        if chosen.json:
            chosen.json.write_text(json.dumps(known, indent=1))
        print(f"{found.run}  {found.objective}  {found.tested:.4f}", file=sys.stderr, flush=True)
    print(table(("candidate", "Spearman", "Kendall", "Pearson", "inside an objective"), _correlations(students)))


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.dev_measures", description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", help="folders of runs that were evaluated")
    parser.add_argument("--json", type=Path, help="keep the figures of every run in this file, and read them from it")
    return parser.parse_args(arguments)


def _measured(run: Path) -> Student:
    recipe = recipe_from_file(str(run / "run.json"))
    workspace = Workspace(recipe, Settings(runs_dir=run.parent, run_name=run.name))
    measures = json.loads((run / "evaluation.json").read_text())["measures"]
    if "student" not in measures:
        raise UserError(str(run), "has no measures of a student", "give runs that were evaluated")
    lengths = recipe.train.source_length, recipe.train.target_length
    taught = _taught(*map(workspace.path, (TEACHER, TOKENS, EMBEDDINGS)), lengths)
    learned = _vectors(load_encoder(workspace.path(STUDENT)).eval(), taught.batch.source)
    return Student(
        run.name,
        recipe.objective.name,
        measures["student"][recipe.evaluation.tested],
        dict(_candidates(taught, learned)),
    )


@dataclass(frozen=True)
class Taught:
    """What the students of one teacher and one held-out bitext are compared with: searched texts by name, the teacher's
    scores of them, and which English sides are questions."""

    batch: PairBatch
    searched: Mapping[str, Embeddings]
    scores: Mapping[str, np.ndarray]
    questions: np.ndarray


@cache
def _taught(teacher: Path, tokens: Path, passages: Path, lengths: tuple[int, int]) -> Taught:
    encoder = load_encoder(teacher).eval()
    batch = padded(read_split(tokens, "dev").cut(*lengths))
    vectors = _vectors(encoder, batch.target)
    searched = {"sentences": _as_embeddings(vectors), "passages": _sample(open_embeddings(passages, verify=False))}
    scores = {name: _scores(MaxSim(texts), vectors) for name, texts in searched.items()}
    return Taught(batch, searched, scores, _questions(encoder, batch))


def _questions(teacher: Encoder, batch: PairBatch) -> np.ndarray:
    """Which English sides are questions: they hold a question mark."""
    mark = teacher.reader.tokenizer.encode("?", add_special_tokens=False).ids[-1]
    return (batch.target.ids == mark).any(1).numpy()


def _candidates(taught: Taught, learned: Sequence[np.ndarray]) -> Iterator[tuple[str, float]]:
    questions = taught.questions
    for name, searched in taught.searched.items():
        goal, found = taught.scores[name], _scores(MaxSim(searched), learned)
        if name == "sentences":
            own = np.array([_rank(row, number) for number, row in enumerate(found)])
            yield "sentences: reciprocal rank of the translation", float((1 / own).mean())
            goal, found = _without_itself(goal), _without_itself(found)
        for rows, which in ((np.ones(len(goal), bool), ""), (questions, "?")):
            for measure, value in _agreements(goal[rows], found[rows]) if rows.any() else ():
                yield f"{name}{which}: {measure}", value


def _without_itself(scores: np.ndarray) -> np.ndarray:
    """(n, n - 1) scores of all texts but the one of the row's number."""
    return scores[~np.eye(len(scores), dtype=bool)].reshape(len(scores), -1)


def _agreements(goal: np.ndarray, found: np.ndarray) -> Iterator[tuple[str, float]]:
    """How far two rankings agree: overlap at several depths, rank-biased overlap, ranks of the best, correlation."""
    one, other = (np.argsort(-scores, axis=1, kind="stable") for scores in (goal, found))
    shared = {
        depth: np.array([len(np.intersect1d(a[:depth], b[:depth])) / depth for a, b in zip(one, other, strict=True)])
        for depth in range(1, max(_DEPTHS) + 1)
    }
    for depth in _DEPTHS:
        yield f"overlap at {depth}", float(shared[depth].mean())
    weights = np.array([_PERSISTENCE ** (depth - 1) for depth in shared])
    yield "rank-biased overlap", float(np.average([values.mean() for values in shared.values()], weights=weights))
    ranks = np.array([_rank(row, best) for row, best in zip(found, one[:, 0], strict=True)])
    yield "reciprocal rank of the teacher's best", float((1 / ranks).mean())
    both = list(zip(goal, found, strict=True))
    yield "Spearman of the scores", float(np.mean([stats.spearmanr(a, b).statistic for a, b in both]))
    yield "Pearson of the scores", float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in both]))
    best = [(a[top], b[top]) for a, b, top in zip(goal, found, one[:, :100], strict=True)]
    yield "Pearson of the teacher's 100 best", float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in best]))


def _rank(scores: np.ndarray, place: int) -> int:
    """Rank of the document at ``place``, from 1; ties are never to an advantage."""
    return int((~(scores < scores[place])).sum())


@torch.no_grad()
def _vectors(encoder: Encoder, tokens: TokenBatch) -> list[np.ndarray]:
    """The scoring token vectors of each text."""
    found = []
    for start in range(0, len(tokens.ids), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        vectors = encoder(tokens.ids[some], tokens.mask[some])
        found += [row[keep].numpy() for row, keep in zip(vectors, tokens.scored[some], strict=True)]
    return found


def _sample(passages: Embeddings) -> Embeddings:
    """Passages at equal distances, so that a student takes seconds."""
    places = np.unique(np.linspace(0, len(passages.docids) - 1, _PASSAGES).astype(int))
    ends = zip(passages.offsets[places], passages.offsets[places + 1], strict=True)
    return _as_embeddings([np.asarray(passages.tokens[start:end], dtype=np.float32) for start, end in ends])


def _as_embeddings(vectors: Sequence[np.ndarray]) -> Embeddings:
    offsets = np.concatenate([[0], np.cumsum([len(rows) for rows in vectors])])
    docids = tuple(map(str, range(len(vectors))))
    return Embeddings(Path(), "", docids, np.concatenate(vectors), offsets)


def _scores(scorer: MaxSim, queries: Sequence[np.ndarray]) -> np.ndarray:
    """(queries, documents) mean MaxSim of a query token."""
    parts = (queries[start : start + _AT_ONCE] for start in range(0, len(queries), _AT_ONCE))
    return np.concatenate([scorer.scores(some) for some in parts]) / np.array([[len(query)] for query in queries])


def _correlations(students: Sequence[Student]) -> list[tuple[str, ...]]:
    """Each candidate with its correlations, the best first."""
    tested = np.array([student.tested for student in students])
    rows = []
    for name in students[0].candidates:
        values = np.array([student.candidates[name] for student in students])
        inside = [
            stats.spearmanr(values[mine], tested[mine]).statistic
            for objective in dict.fromkeys(student.objective for student in students)
            if (mine := np.array([student.objective == objective for student in students])).sum() > 2
        ]
        found = stats.spearmanr(values, tested).statistic, stats.kendalltau(values, tested).statistic
        rows.append((name, *found, np.corrcoef(values, tested)[0, 1], float(np.mean(inside)) if inside else np.nan))
    rows.sort(key=lambda row: -row[1])
    return [(name, *(f"{value:.3f}" for value in values)) for name, *values in rows]


if __name__ == "__main__":
    main(sys.argv[1:])
