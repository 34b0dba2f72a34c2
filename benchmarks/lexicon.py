"""How good is a lexicon learned from bitext: ``python -m benchmarks.lexicon RUN --gold gatitos-fra``.

Lexicons of all sentence pairs of a run, those held out among them: by IBM Model 1, and by the transport plans of its
student, before the first step and after the last one. A word of the gold lexicon counts where both sides are one
word. ``known`` is the share that the bitext holds in ``LEAST`` pairs or more, so that something can be learned; of
these, ``right`` is the share whose first translation is among the gold ones, ``among three`` of its first three.
"""

import argparse
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.running import heading, table
from optical.data.batches.batch import PairBatch
from optical.data.bitext import shards
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits
from optical.data.fetch.resolve import resolve
from optical.data.lexicon.lexicon import Lexicon
from optical.data.lexicon.limits import LONGEST, SWEEPS
from optical.data.lexicon.model1 import model1
from optical.data.lexicon.words import word_places, words
from optical.data.registry.datasets import datasets
from optical.errors import UserError, suggest
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder
from optical.model.text.padding import pad
from optical.model.text.roles import Role
from optical.objectives import ot
from pipelines.environment import Settings
from pipelines.graph.bitext import BITEXT
from pipelines.graph.student import STUDENT, STUDENT_START
from pipelines.graph.teacher import TEACHER
from pipelines.graph.workspace import Workspace
from pipelines.recipes.from_file import recipe_from_file

LEAST = 2
_AT_ONCE = 32
_WORDS = 3
Weights = dict[str, Counter[str]]
"""How much of each source word is aligned with each target word."""


def main(arguments: list[str]) -> None:
    """Learn the lexicons of a run and print how many gold translations each of them has."""
    chosen = parse(arguments)
    print(heading("benchmarks.lexicon", arguments, ("torch", "scipy")), flush=True)
    recipe = recipe_from_file(str(chosen.run / "run.json"))
    workspace = Workspace(recipe, Settings(runs_dir=chosen.run.parent, run_name=chosen.run.name))
    gold = _gold(chosen.gold, recipe.bitext.source, workspace.settings)
    pairs = list(islice(_pairs(workspace.path(BITEXT)), chosen.pairs))
    seen = Counter(word for source, _ in pairs for word in set(words(source)))
    known = {word: right for word, right in gold.items() if seen[word] >= LEAST}
    print(f"{len(pairs):,} pairs; {len(gold):,} gold words, {len(known):,} of them in {LEAST} pairs or more\n")
    if not known:
        raise UserError(
            chosen.gold, "has no word that these pairs could teach", "give the lexicon of the run's language"
        )
    found: dict[str, Lexicon] = {"IBM Model 1": _by_model1(pairs)}
    teacher = load_encoder(workspace.path(TEACHER)).eval()
    for name, node in (("plans of the start", STUDENT_START), ("plans of the student", STUDENT)):
        student = load_encoder(workspace.path(node)).eval()
        weights = _aligned(student, teacher, recipe.teacher.target_role, pairs)
        found[f"{name}, p(target | source)"] = _ordered(weights, dice=False)
        found[f"{name}, Dice"] = _ordered(weights, dice=True)
    rows = [(name, *_quality(lexicon, known)) for name, lexicon in found.items()]
    print(table(("lexicon", "right", "among three"), rows))


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.lexicon", description=__doc__)
    parser.add_argument("run", type=Path, help="folder of a run with a trained student")
    parser.add_argument("--gold", required=True, help="registered lexicon of the run's language, such as gatitos-fra")
    parser.add_argument("--pairs", type=int, help="read only the first so many sentence pairs")
    return parser.parse_args(arguments)


def _gold(name: str, source: str, settings: Settings) -> dict[str, set[str]]:
    """The English words of each word, where both are one word."""
    registered = datasets()
    if name not in registered:
        raise UserError("--gold", f"there is no data set {name!r}", suggest(name, registered, "see prepare --list"))
    files = resolve(registered[name], settings.cache, settings.mirror)
    found: dict[str, set[str]] = {}
    for pair in read_pairs(files.paths, files.reader, source, "eng", Limits(), lambda said: None):
        left, right = words(pair.source or ""), words(pair.target or "")
        if len(left) == len(right) == 1:
            found.setdefault(left[0], set()).add(right[0])
    return found


def _pairs(bitext: Path) -> Iterator[tuple[str, str]]:
    """The pairs that a lexicon is learned from, in composed form, so that places of pieces are places of words."""
    for shard in shards.pair_shards(bitext):
        read = pq.read_table(shard, columns=["source", "target"])
        for pair in zip(read["source"].to_pylist(), read["target"].to_pylist(), strict=True):
            source, target = (unicodedata.normalize("NFC", text) for text in pair)
            if 0 < len(words(source)) <= LONGEST and 0 < len(words(target)) <= LONGEST:
                yield source, target


def _by_model1(pairs: Sequence[tuple[str, str]]) -> Lexicon:
    """The most probable translations of each word, however improbable the second and the third are."""
    sources, targets = zip(*([words(text) for text in pair] for pair in pairs), strict=True)
    learned = model1(sources, targets, SWEEPS)
    found: Lexicon = {}
    for source, target in zip(learned.source, learned.target, strict=True):
        if len(found.get(source, ())) < _WORDS:
            found[source] = (*found.get(source, ()), target)
    return found


def _aligned(student: Encoder, teacher: Encoder, role: Role, pairs: Sequence[tuple[str, str]]) -> Weights:
    """The mass that plans move between the words of all pairs; a pair has as much mass as its source has pieces."""
    found: Weights = {}
    objective = ot.Config(epsilon=0.1, epsilon_unit="mean_cost").build(teacher)
    for start in range(0, len(pairs), _AT_ONCE):
        sources, targets = zip(*pairs[start : start + _AT_ONCE], strict=True)
        sides: list[tuple[Encoder, Role, Sequence[str]]] = [(student, "query", sources), (teacher, role, targets)]
        one, other = (
            pad(encoder.reader.encode(texts, side), encoder.reader.frames[side]) for encoder, side, texts in sides
        )
        batch = PairBatch(0, len(sources), one, other, torch.ones(len(sources)))
        aligned = objective.alignment(student, batch)
        rows = [_places(encoder, side, texts) for encoder, side, texts in sides]
        for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
            plan = aligned.plan[number][aligned.source_mask[number]][:, aligned.target_mask[number]].double().numpy()
            left, right = _membership(source, rows[0][number]), _membership(target, rows[1][number])
            _add(found, words(source), words(target), len(plan) * left @ plan @ right.T)
    return found


def _places(encoder: Encoder, role: Role, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
    return [[piece.place for piece in pieces] for pieces in encoder.reader.own_pieces(texts, role)]


def _membership(text: str, pieces: Sequence[tuple[int, int]]) -> np.ndarray:
    """(words, pieces) 1 where a piece shares a character with a word."""
    at = np.array([(start, end) for _, start, end in word_places(text)]).reshape(-1, 2)
    start, end = np.array(pieces).reshape(-1, 2).T
    return ((start < at[:, 1:]) & (end > at[:, :1])).astype(float)


def _add(found: Weights, sources: Sequence[str], targets: Sequence[str], mass: np.ndarray) -> None:
    for source, row in zip(sources, mass, strict=True):
        weights = found.setdefault(source, Counter())
        for target, value in zip(targets, row.tolist(), strict=True):
            weights[target] += value


def _ordered(weights: Weights, dice: bool) -> Lexicon:
    """The best translations of each word: by the share of its mass, or by Dice's coefficient."""
    whole: Counter[str] = Counter()
    for row in weights.values():
        whole.update(row)
    found: Lexicon = {}
    for source, row in weights.items():
        mass = sum(row.values())
        scores = {target: value / (mass + whole[target] if dice else 1.0) for target, value in row.items()}
        found[source] = tuple(sorted(scores, key=lambda target: -scores[target])[:_WORDS])
    return found


def _quality(lexicon: Lexicon, known: Mapping[str, set[str]]) -> tuple[str, str]:
    first = sum(bool(right & set(lexicon.get(word, ())[:1])) for word, right in known.items())
    three = sum(bool(right & set(lexicon.get(word, ())[:_WORDS])) for word, right in known.items())
    return f"{first / len(known):.3f}", f"{three / len(known):.3f}"


if __name__ == "__main__":
    main(sys.argv[1:])
