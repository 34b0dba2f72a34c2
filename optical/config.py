"""Recipes: complete, frozen configurations of a run.

A recipe is everything that decides a result, and nothing else: where it runs and how many workers it
gets is ``optical.resources``, which no fingerprint sees. Each section checks itself and says what to set instead.
"""

import dataclasses
from dataclasses import dataclass, field
from typing import Literal

from optical.cleaning_config import CleaningConfig
from optical.errors import UserError
from optical.mixture_config import MixtureConfig


@dataclass(frozen=True, kw_only=True)
class BitextConfig:
    """Which sentence pairs to learn from, and which of them to refuse."""

    datasets: tuple[str, ...]
    """Registry names, or paths: ``pairs.tsv``, ``pairs.jsonl.gz``, ``corpus.tmx``, or Moses ``a.swa+a.eng``;
    a path may end in its query language, ``pairs.tsv@som``."""
    source: str = "swa"
    """ISO 639-3 code of the query language; ``*`` for several: each data set's own."""
    target: str = "eng"
    """ISO 639-3 code of the collection's language."""
    max_pairs: int | None = None
    """Keep only the first so many accepted pairs; ``None`` keeps all."""
    dev_pairs: int = 256
    """Accepted pairs held out, evenly spaced, for the dev measures; no step trains on them (vocabularies see them)."""
    max_characters: int = 1000
    """Longest sentence kept, in characters."""
    max_length_ratio: float = 4.0
    """Largest ratio of the two sides' lengths; an East Asian character counts two (pairs under 20 are exempt)."""
    max_reject_share: float = 0.05
    """Share of a data set's pairs that may be faulty before ``prepare`` stops (``filters.NOT_FAULTS`` do not count)."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """Which well-formed pairs to drop."""

    def __post_init__(self) -> None:
        _require(len(self.datasets) > 0, "bitext.datasets", "names no data set", "give at least one")
        _require(
            self.max_pairs is None or self.max_pairs > 0, "bitext.max_pairs", f"is {self.max_pairs}", "set 1 or more"
        )
        _require(self.dev_pairs >= 2, "bitext.dev_pairs", f"is {self.dev_pairs}", "set at least 2")
        _require(self.max_characters > 0, "bitext.max_characters", f"is {self.max_characters}", "set a positive number")
        _require(self.max_length_ratio >= 1, "bitext.max_length_ratio", f"is {self.max_length_ratio}", "set 1 or more")
        _require(
            0 <= self.max_reject_share <= 1, "bitext.max_reject_share", f"is {self.max_reject_share}", "set 0 to 1"
        )


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One pass of the training loop: batches, optimiser, cadence, seed."""

    epochs: int = 1
    """Passes over the training pairs."""
    batch_pairs: int = 64
    """Most sentence pairs in one global batch."""
    batch_tokens: int = 8192
    """Most padded tokens (source plus target) in one global batch."""
    accumulate: int = 1
    """Parts a rank computes its share of a global batch in, one after the other, for less memory: the loss is the mean
    over the whole batch all the same, so the update is that of one part within rounding."""
    source_length: int = 64
    """Longest source sentence in tokens; the rest is cut."""
    target_length: int = 64
    """Longest target sentence in tokens; the rest is cut."""
    learning_rate: float = 3e-4
    """Peak learning rate of AdamW."""
    warmup_share: float = 0.1
    """Share of the steps spent on linear warm-up; linear decay to zero follows."""
    weight_decay: float = 0.01
    """AdamW weight decay of matrices; vectors (bias, layer norm) get none."""
    max_grad_norm: float = 1.0
    """Global gradient norm above which gradients are scaled down."""
    checkpoint_steps: int = 200
    """Steps between checkpoints."""
    dev_steps: int = 100
    """Steps between two looks at the dev measure."""
    seed: int = 0
    """Seed of the order of batches, and of a scratch teacher's weights."""
    mixture: MixtureConfig = field(default_factory=MixtureConfig)
    """How the data sets are mixed."""

    def __post_init__(self) -> None:
        for name in (
            "epochs",
            "batch_pairs",
            "batch_tokens",
            "accumulate",
            "checkpoint_steps",
            "dev_steps",
            "learning_rate",
            "max_grad_norm",
        ):
            value = getattr(self, name)
            _require(0 < value < float("inf"), f"train.{name}", f"is {value}", "set a positive number")
        for name in ("source_length", "target_length"):
            _require(getattr(self, name) >= 4, f"train.{name}", f"is {getattr(self, name)}", "set at least 4 tokens")
        _require(self.weight_decay >= 0, "train.weight_decay", f"is {self.weight_decay}", "set 0 or more")
        longest = self.source_length + self.target_length
        what = f"is {self.batch_tokens}, and one pair may have {longest} tokens"
        _require(self.batch_tokens >= longest, "train.batch_tokens", what, f"set at least {longest}")
        _require(0 <= self.warmup_share < 1, "train.warmup_share", f"is {self.warmup_share}", "set 0 to below 1")


@dataclass(frozen=True, kw_only=True)
class ScratchConfig:
    """Shape of a small late-interaction teacher trained from scratch, and what it is trained on."""

    pairs: tuple[str, ...]
    """Data sets of English question-passage pairs."""
    vocabulary: int = 4000
    """WordPiece vocabulary size, learned on the pairs and on both sides of the bitext."""
    hidden: int = 128
    """Width of the backbone."""
    layers: int = 2
    """Transformer layers."""
    heads: int = 4
    """Attention heads."""
    dim: int = 64
    """Dimension of the token embeddings."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How the teacher is trained (in-batch contrastive MaxSim)."""
    temperature: float = 0.05
    """Softmax temperature of the contrastive loss, applied to the mean MaxSim per query token."""

    def __post_init__(self) -> None:
        where = "teacher.scratch"
        _require(len(self.pairs) > 0, f"{where}.pairs", "names no data set", "give at least one")
        for name in ("hidden", "layers", "heads", "dim", "temperature"):
            value = getattr(self, name)
            _require(value > 0, f"{where}.{name}", f"is {value}", "set a positive number")
        what = f"is {self.hidden}, which {self.heads} heads do not divide"
        _require(self.hidden % self.heads == 0, f"{where}.hidden", what, "set a multiple of the heads")
        what = f"is {self.train.accumulate}, and parts of a batch would lack each other's negatives"
        _require(self.train.accumulate == 1, f"{where}.train.accumulate", what, "set 1")


@dataclass(frozen=True, kw_only=True)
class TeacherConfig:
    """The English late-interaction encoder: where its weights come from and how it reads text."""

    weights: str = "all-minilm-l6-v2"
    """A registered model, a folder, a hub id, or ``scratch`` (trained by the run, see ``scratch``)."""
    revision: str | None = None
    """Hub revision (commit); required for a hub id."""
    query_length: int = 64
    """Longest query in tokens."""
    document_length: int = 180
    """Longest document in tokens."""
    cache: bool = False
    """Encode the target sides once, into float16 shards that every epoch and every trial of a search reads; losses
    agree with those of an uncached run within float16 rounding."""
    scratch: ScratchConfig | None = None
    """The small teacher to train when ``weights`` is ``scratch``."""

    def __post_init__(self) -> None:
        for name in ("query_length", "document_length"):
            _require(getattr(self, name) >= 4, f"teacher.{name}", f"is {getattr(self, name)}", "set at least 4 tokens")
        _require(
            (self.weights == "scratch") == (self.scratch is not None),
            "teacher.weights",
            f"is {self.weights!r} and teacher.scratch is {'given' if self.scratch else 'missing'}",
            "set both for a teacher trained by the run, or neither",
        )


@dataclass(frozen=True, kw_only=True)
class StudentConfig:
    """How the student differs from the teacher before the first step."""

    vocabulary: int = 0
    """Size of a WordPiece vocabulary learned from the source side and added to the teacher's, its embeddings
    initialised through the bitext; 0 keeps the teacher's vocabulary."""

    def __post_init__(self) -> None:
        _require(self.vocabulary >= 0, "student.vocabulary", f"is {self.vocabulary}", "set 0 or more")


@dataclass(frozen=True, kw_only=True)
class ObjectiveConfig:
    """What the student minimises; the fields name the transport problem of the OPTICAL loss."""

    name: Literal["ot"] = "ot"
    """``ot``: optimal-transport distillation, loss <P, C> with the plan held constant."""
    epsilon: float = 0.1
    """Entropic regularisation in the cost's units (cosine distance, 0 to 2)."""
    tolerance: float = 1e-3
    """Marginal error (L1) at which a problem counts as converged."""
    max_iterations: int = 100
    """Most Sinkhorn sweeps for one batch."""
    special_tokens: Literal["drop", "keep"] = "drop"
    """Whether [CLS] and [SEP] take part in the alignment."""

    def __post_init__(self) -> None:
        _require(self.epsilon > 0, "objective.epsilon", f"is {self.epsilon}, and Sinkhorn needs epsilon > 0", "try 0.1")
        _require(self.tolerance > 0, "objective.tolerance", f"is {self.tolerance}", "set a positive number")
        _require(self.max_iterations > 0, "objective.max_iterations", f"is {self.max_iterations}", "set at least 1")


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """The teacher's index over the English collection."""

    factory: str = "IVF256,SQ8"
    """faiss factory string of the token index that proposes candidates."""
    num_probes: int = 16
    """Clusters visited per query token."""
    tokens_per_probe: int = 128
    """Nearest tokens fetched per query token."""
    search: Literal["exact", "faiss"] = "exact"
    """``exact``: MaxSim over every passage; ``faiss``: MaxSim over the candidates only."""
    depth: int = 1000
    """Documents kept per query."""

    def __post_init__(self) -> None:
        for name in ("num_probes", "tokens_per_probe", "depth"):
            _require(getattr(self, name) > 0, f"index.{name}", f"is {getattr(self, name)}", "set a positive number")


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """The test collection: passages, topics in the query language with English translations, qrels."""

    collection: str
    """Registry name of the collection, or a folder with passages, topics and qrels."""
    seed: int = 0
    """Seed of the bootstrap and the randomisation test."""
    resamples: int = 10_000
    """Bootstrap resamples and sign flips."""

    def __post_init__(self) -> None:
        _require(self.resamples > 0, "evaluation.resamples", f"is {self.resamples}", "set at least 1")


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A complete run: bitext, teacher, objective, training, index, evaluation."""

    name: str
    bitext: BitextConfig
    teacher: TeacherConfig
    evaluation: EvaluationConfig
    student: StudentConfig = field(default_factory=StudentConfig)
    objective: ObjectiveConfig = field(default_factory=ObjectiveConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    index: IndexConfig = field(default_factory=IndexConfig)

    def as_dict(self) -> dict:
        """The recipe as plain JSON-serialisable values (tuples become lists)."""
        return _plain(dataclasses.asdict(self))


def differences(old: dict, new: dict, prefix: str = "") -> list[str]:
    """Field-by-field differences of two recipes as ``field: old -> new`` lines.

    >>> differences({"train": {"seed": 0}}, {"train": {"seed": 1}})
    ['train.seed: 0 -> 1']
    """
    lines = []
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            lines += differences(before, after, f"{prefix}{key}.")
        elif before != after:
            lines.append(f"{prefix}{key}: {before!r} -> {after!r}")
    return lines


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def _require(holds: bool, where: str, what: str, advice: str) -> None:
    if not holds:
        raise UserError(where, what, advice)
