"""Real sentence pairs: the news of ``swahili_minilm``, and their token embeddings as its first step meets them."""

import tempfile
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from benchmarks.running import mirror
from benchmarks.synthetic import write_corpus
from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, SentencePair
from optical.data.bitext.sources import open_source
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder
from optical.model.vocabulary.translation import extended_student
from optical.model.weights import find_weights
from pipelines.recipes.swahili_minilm import swahili_minilm

RECIPE = swahili_minilm()
DATASET = RECIPE.bitext.datasets[0]
VOCABULARY_PAIRS = 4000
_CORPUS = 30_000
_SHORTEST = 4
_AT_ONCE = 64


def texts(folder: Path) -> tuple[list[tuple[str, str]], str]:
    """The recipe's pairs from ``OPTICAL_MIRROR``, or generated ones without it; and what they are."""
    if mirror():
        files, data = open_source(DATASET, folder / "cache", str(mirror())), DATASET
        paths, reader = files.paths, files.reader
    else:
        paths, reader, data = [folder / "pairs.tsv"], "tsv", "generated pairs (OPTICAL_MIRROR is not set)"
        write_corpus(paths[0], _CORPUS)
    found = read_pairs(paths, reader, RECIPE.bitext.source, RECIPE.bitext.target, Limits.of(RECIPE.bitext))
    return [(pair.source, pair.target) for pair in found if isinstance(pair, SentencePair)], data


def embedded(batch: int, length: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Unit embeddings of both sides (batch, length, dim) and their masks (batch, length), of pairs that are no longer.

    The target side is all-MiniLM-L6-v2's, the source side that of the student before its first step. Source lengths are
    spread evenly from 4 to ``length``, as far as there are such pairs; special tokens are left out.
    """
    student, teacher, pairs = _models_and_pairs()
    lengths = [
        [len(side) - 2 for side in _encoded(encoder, pairs, place)] for place, encoder in enumerate((student, teacher))
    ]
    by_length: dict[int, list[int]] = defaultdict(list)
    for row, (n, m) in enumerate(zip(*lengths, strict=True)):
        if _SHORTEST <= n <= length and _SHORTEST <= m <= length:
            by_length[n].append(row)
    chosen = []
    for wanted in np.random.default_rng(seed).integers(_SHORTEST, length + 1, batch):
        nearest = min(by_length, key=lambda known: abs(known - int(wanted)))
        chosen.append(by_length[nearest].pop())
        if not by_length[nearest]:
            del by_length[nearest]
    sides = [
        _padded(encoder, [pairs[row][place] for row in chosen], length)
        for place, encoder in enumerate((student, teacher))
    ]
    return sides[0][0], sides[1][0], sides[0][1], sides[1][1]


@cache
def _models_and_pairs() -> tuple[Encoder, Encoder, list[tuple[str, str]]]:
    """The student before its first step, the teacher, and all pairs."""
    with tempfile.TemporaryDirectory(prefix="optical-sentences-") as folder:
        pairs, _ = texts(Path(folder))
    weights = find_weights(RECIPE.teacher.weights)
    some = pairs[:: max(1, len(pairs) // VOCABULARY_PAIRS)]
    student = extended_student(load_encoder(weights), *map(list, zip(*some, strict=True)), RECIPE.student.vocabulary)
    return student.eval(), load_encoder(weights).eval(), pairs


def _encoded(encoder: Encoder, pairs: list[tuple[str, str]], place: int) -> list[list[int]]:
    return encoder.reader.encode([pair[place] for pair in pairs], "query").to_pylist()


def _padded(encoder: Encoder, sentences: list[str], length: int) -> tuple[Tensor, Tensor]:
    embeddings, mask = (
        torch.zeros(len(sentences), length, encoder.dim),
        torch.zeros(len(sentences), length, dtype=torch.bool),
    )
    for start in range(0, len(sentences), _AT_ONCE):
        found = encode_texts(encoder, sentences[start : start + _AT_ONCE], "query", length + 2)
        for row, tokens in enumerate(found, start):
            inner = tokens[1:-1]
            embeddings[row, : len(inner)], mask[row, : len(inner)] = inner, True
    return embeddings, mask
