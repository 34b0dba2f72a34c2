"""A step of a large multilingual student beside the plain forward and backward pass of its backbone.

The student has the shape of multilingual-e5-small (12 layers, 384 wide, 250,037 word embeddings) and random weights. A
step is the trainer's own: forward, transport loss, backward, clipping and AdamW; the teacher's embeddings are given, as
a teacher cache gives them. The plain contestant is transformers alone on the same tokens, from one given gradient.
Part of ``python -m benchmarks.train``.
"""

import statistics
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from tokenizers import Tokenizer, models
from torch import Tensor, nn
from transformers import BertConfig, BertModel

from benchmarks.running import in_rounds
from optical.data.batches.batch import PairBatch
from optical.model.encoder import Encoder
from optical.model.text.padding import TokenBatch
from optical.model.text.reader import TextReader
from optical.model.text.special import BERT
from optical.model.trained_rows import train_rows
from optical.objectives.ot import Config as OTConfig
from optical.objectives.ot import TransportDistillation
from optical.train.config import TrainConfig
from optical.train.optimiser import build_optimiser
from optical.train.step import update

PLAIN = "transformers"


@dataclass(frozen=True)
class Size:
    """The student, and the batch of each step. As many rows occur as in 30,738 Swahili sentences (18,524)."""

    rows: int = 250_037
    occurring: int = 18_524
    layers: int = 12
    width: int = 384
    inner: int = 1_536
    heads: int = 12
    pairs: int = 64
    shortest: int = 16
    longest: int = 40


@dataclass(frozen=True)
class LargeRow:
    """One contestant: which word embeddings have gradients, seconds of a step, and its speed relative to plain."""

    contestant: str
    word_embeddings: str
    seconds: float
    of_plain: float


def measure(rounds: int, size: Size | None = None) -> list[LargeRow]:
    """Medians over rounds; the contestants take turns, after a first step each that is not timed."""
    size = size or Size()
    batch = _batch(size)
    contestants = _contestants(size, batch)
    for step in contestants.values():
        step()
    seconds = {name: statistics.median(times) for name, times in in_rounds(contestants, rounds).items()}
    plain = {word_embeddings: spent for (name, word_embeddings), spent in seconds.items() if name == PLAIN}
    return [
        LargeRow(name, words, spent, plain.get(words, plain["all"]) / spent) for (name, words), spent in seconds.items()
    ]


def report(measured: list[LargeRow]) -> tuple[list[str], list[list[str]]]:
    """Columns and cells of the table; frozen is compared with frozen, everything else with plain gradients of all."""
    columns = ["contestant", "word embeddings trained", "s a step", "speed of plain forward and backward"]
    cells = [[row.contestant, row.word_embeddings, f"{row.seconds:.3f}", f"{row.of_plain:.2f}"] for row in measured]
    return columns, cells


def _contestants(size: Size, batch: PairBatch) -> dict:
    """Plain passes and steps, by contestant and by the word embeddings that have gradients."""
    backbone = _backbone(size)
    draw = torch.Generator().manual_seed(2)
    gradient = torch.randn(*batch.source.ids.shape, size.width, generator=draw) / batch.source.ids.numel()
    made: dict[tuple[str, str], Callable[[], float]] = {}
    for words in ("all", "none"):
        plain = backbone if words == "all" else _shared(backbone)
        plain.get_input_embeddings().requires_grad_(words == "all")
        made[PLAIN, words] = partial(_timed, partial(_plain, plain, batch, gradient))
    for words in ("all", "those that occur", "none"):
        student = _shared(backbone) if words != "all" else deepcopy(backbone)
        if words == "those that occur":
            train_rows(student, _occurring(size))
        elif words == "none":
            student.get_input_embeddings().requires_grad_(False)
        made["optical", words] = partial(_timed, _stepping(student, batch))
    return made


def _timed(step: Callable[[], object]) -> float:
    started = time.perf_counter()
    step()
    return time.perf_counter() - started


def _plain(backbone: BertModel, batch: PairBatch, gradient: Tensor) -> None:
    backbone.zero_grad(set_to_none=True)
    hidden = backbone(input_ids=batch.source.ids, attention_mask=batch.source.mask.long()).last_hidden_state
    hidden.backward(gradient)


def _stepping(backbone: BertModel, batch: PairBatch) -> Callable[[], object]:
    encoder = Encoder(backbone, TextReader(Tokenizer(models.WordLevel()), BERT))
    optimiser = build_optimiser(encoder, TrainConfig())
    objective = TransportDistillation(None, OTConfig())
    return lambda: update(encoder, objective, optimiser, batch, 1e-4, 1.0)


def _backbone(size: Size) -> BertModel:
    config = BertConfig(
        vocab_size=size.rows,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=size.inner,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return BertModel(config, add_pooling_layer=False)


def _shared(backbone: BertModel) -> BertModel:
    """A copy with the same word embeddings in memory, frozen, so that five contestants need less of it."""
    whole = backbone.get_input_embeddings().weight
    copied = deepcopy(backbone, {id(whole): nn.Parameter(whole.detach(), requires_grad=False)})
    return copied.train()


def _occurring(size: Size) -> np.ndarray:
    return np.sort(np.random.default_rng(0).choice(size.rows, size.occurring, replace=False))


def _batch(size: Size) -> PairBatch:
    """Pairs whose lengths are spread evenly, frequent rows more often than rare ones, and the teacher's embeddings."""
    draw = np.random.default_rng(1)
    lengths = torch.from_numpy(draw.integers(size.shortest, size.longest + 1, size.pairs))
    mask = torch.arange(size.longest) < lengths.unsqueeze(1)
    rank = (size.occurring ** draw.random((size.pairs, size.longest))).astype(int) - 1
    ids = torch.from_numpy(draw.permutation(_occurring(size))[rank]) * mask + int(_occurring(size)[0]) * ~mask
    generator = torch.Generator().manual_seed(3)
    targets = nn.functional.normalize(torch.randn(*ids.shape, size.width, generator=generator), dim=-1)
    tokens = TokenBatch(ids, mask, mask, mask)
    return PairBatch(0, size.pairs, tokens, tokens, torch.ones(size.pairs), target_embeddings=targets)
