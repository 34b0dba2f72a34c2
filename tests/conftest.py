"""Shared by every room: one torch thread, and a world of a few words in which tests take milliseconds."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import faiss
import numpy as np
import pyarrow as pa
import pytest
import torch
from jaxtyping import Bool, Float
from tokenizers import Tokenizer

from optical.data.batches.token_shards import TOKENISED
from optical.data.batches.tokenise import write_tokens
from optical.index.embeddings import Embeddings
from optical.index.kinds import base as index_base
from optical.index.kinds import exact as exact_kind
from optical.index.kinds import faiss as faiss_kind
from optical.index.scoring import MaxSim
from optical.model.encoder import Encoder
from optical.model.scratch import scratch_encoder
from optical.model.storage import save_encoder
from optical.model.text.padding import TokenBatch
from optical.model.vocabulary.tokenizer import learn_wordpiece
from optical.objectives import (
    _aligned,
    argmax,
    base,
    contrastive,
    divergence,
    greedy,
    intersection,
    ot,
    pooled,
    score_kl,
)
from optical.objectives import sum as weighted_sum
from optical.objectives.ot import Config as OTConfig
from optical.recipe import ScratchConfig
from optical.train.config import TrainConfig
from optical.train.job import TrainJob
from optical.train.loop import write_encoder
from tests.readers import FRAMES

torch.set_num_threads(1)

# These modules import the names of their annotations for type checkers only; the run-time checker looks them up here.
for module in (
    base,
    contrastive,
    ot,
    pooled,
    score_kl,
    _aligned,
    greedy,
    argmax,
    intersection,
    divergence,
    weighted_sum,
):
    vars(module).update(Encoder=Encoder, Tensor=torch.Tensor, TokenBatch=TokenBatch, Bool=Bool, Float=Float)
for module in (index_base, exact_kind, faiss_kind):
    vars(module).update(np=np, faiss=faiss, Embeddings=Embeddings, MaxSim=MaxSim)

WORDS = {
    "mtoto": "child",
    "maji": "water",
    "shule": "school",
    "nyumba": "house",
    "kitabu": "book",
    "mto": "river",
    "chakula": "food",
    "mwalimu": "teacher",
    "barabara": "road",
    "jua": "sun",
    "mvua": "rain",
    "mti": "tree",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Repeat every test that draws a fresh seed OPTICAL_SEEDS times: how rare failures are found before CI does."""
    if "fresh_seed" in metafunc.fixturenames and (times := int(os.environ.get("OPTICAL_SEEDS") or 0)):
        metafunc.parametrize("fresh_seed", [_drawn() for _ in range(times)])


@pytest.fixture
def fresh_seed() -> int:
    """A seed no run has seen before; a failure prints it, and OPTICAL_SEED repeats it."""
    seed = int(os.environ.get("OPTICAL_SEED") or _drawn())
    print(f"OPTICAL_SEED={seed}")  # noqa: T201
    return seed


def _drawn() -> int:
    return random.SystemRandom().getrandbits(31)


@pytest.fixture(scope="session")
def bitext() -> list[tuple[str, str]]:
    """96 sentence pairs of three to five words, translated word by word."""
    draw = random.Random(7)
    sentences = [draw.sample(sorted(WORDS), draw.randint(3, 5)) for _ in range(96)]
    return [(" ".join(words), " ".join(WORDS[word] for word in words)) for words in sentences]


@pytest.fixture(scope="session")
def tokenizer(bitext: list[tuple[str, str]]) -> Tokenizer:
    """A WordPiece tokenizer in which every word of the bitext is one token."""
    return learn_wordpiece([sentence for pair in bitext for sentence in pair], 300)


@pytest.fixture(scope="session")
def tiny() -> ScratchConfig:
    """The shape of the smallest encoder worth training."""
    return ScratchConfig(pairs=("toy",), hidden=32, layers=1, heads=2, dim=16)


@pytest.fixture
def encoder(tiny: ScratchConfig, tokenizer: Tokenizer) -> Encoder:
    """A tiny encoder with random weights."""
    return scratch_encoder(tiny, tokenizer, seed=0).eval()


@pytest.fixture
def encoder_folder(encoder: Encoder, tmp_path: Path) -> Path:
    """The tiny encoder on disk."""
    folder = tmp_path / "tiny-encoder"
    folder.mkdir()
    save_encoder(encoder, folder)
    return folder


@pytest.fixture(scope="session")
def id_table() -> Callable[[list[tuple[list[int], list[int]]]], pa.Table]:
    """Builds the table of token ids that token shards are made of."""
    return lambda pairs, dataset="toy": pa.table(
        [
            [dataset] * len(pairs),
            [source for source, _ in pairs],
            *[[target for _, target in pairs]] * 2,
        ],
        schema=TOKENISED,
    )


@pytest.fixture
def shard_sizes() -> dict[str, int]:
    """``rows_per_group`` and ``rows_per_shard`` of ``tokens``, where a test needs others."""
    return {}


@pytest.fixture
def tokens(
    bitext: list[tuple[str, str]], tokenizer: Tokenizer, id_table: Callable, shard_sizes: dict[str, int], tmp_path: Path
) -> Path:
    """The bitext as a tokens artefact: 80 pairs to train on, 16 held out."""
    ids = [tuple(tokenizer.encode(side).ids for side in pair) for pair in bitext]
    write_tokens(tmp_path / "tokens", "f" * 64, [id_table(ids)], FRAMES, len(ids), 16, **shard_sizes)
    return tmp_path / "tokens"


@pytest.fixture
def new_job(tokens, encoder, tmp_path) -> Callable[..., TrainJob]:
    """Makes a distillation in a folder of its own; 5 steps an epoch, a checkpoint every 10."""
    write_encoder(encoder, tmp_path / "start", "1" * 64)

    def make(name: str = "student", **train: object) -> TrainJob:
        cadence = {"epochs": 6, "checkpoint_steps": 10, "dev_steps": 20}
        sizes = {"batch_pairs": 16, "source_length": 8, "target_length": 8}
        return TrainJob(
            fingerprint="2" * 64,
            tokens=tokens,
            start=tmp_path / "start",
            teacher=tmp_path / "start",
            folder=tmp_path / name,
            train=TrainConfig(**(cadence | sizes | {"learning_rate": 5e-3} | train)),
            objective=OTConfig(),
        )

    return make
