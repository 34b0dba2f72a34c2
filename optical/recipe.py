"""Recipes: complete, frozen configurations of a run.

A recipe holds everything that determines a result, and nothing else. The machines and the number of workers are in
``Resources``, which no fingerprint includes. Each section is defined in the package it configures and checks itself.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import PurePath
from typing import ClassVar, Literal

from optical import components
from optical.data.bitext.config import BitextConfig
from optical.errors import require
from optical.evaluation.protocols.base import EvaluationConfig
from optical.index.kinds import exact
from optical.index.kinds.base import IndexConfig
from optical.model.config import ScratchShape, StartConfig
from optical.model.text.roles import ROLES, Role
from optical.objectives import contrastive, ot
from optical.objectives.base import ObjectiveConfig
from optical.train.config import TrainConfig

_CADENCE = ("checkpoint_steps", "dev_steps")


@dataclass(frozen=True, kw_only=True)
class TeacherTraining:
    """Contrastive training of a late-interaction teacher on English questions and the passages that answer them."""

    pairs: tuple[str, ...]
    """Data sets of English question-passage pairs."""
    train: TrainConfig = field(default_factory=TrainConfig)
    """How the teacher is trained (in-batch contrastive MaxSim)."""
    temperature: float = 0.05
    """Softmax temperature of the contrastive loss, applied to the mean MaxSim per query token."""
    negatives: int = 0
    """Passages that BM25 mines for each question as hard negatives, 0 or 1; every question of a batch is scored against
    those of all its questions."""

    section: ClassVar[str] = "teacher.training"

    def __post_init__(self) -> None:
        where = self.section
        require(len(self.pairs) > 0, f"{where}.pairs", "names no data set", "give at least one")
        finite = 0 < self.temperature < inf
        require(finite, f"{where}.temperature", f"is {self.temperature}", "set a positive number")
        require(self.negatives in (0, 1), f"{where}.negatives", f"is {self.negatives}", "set 0 or 1")
        _check_parts(self.objective, self.train, f"{where}.train")

    @property
    def objective(self) -> ObjectiveConfig:
        """The objective of the teacher."""
        return contrastive.Config(temperature=self.temperature)


@dataclass(frozen=True, kw_only=True)
class ScratchConfig(ScratchShape, TeacherTraining):
    """A small late-interaction teacher trained from scratch: its shape and its training."""

    section: ClassVar[str] = "teacher.scratch"

    def __post_init__(self) -> None:
        ScratchShape.__post_init__(self)
        TeacherTraining.__post_init__(self)


@dataclass(frozen=True, kw_only=True)
class PretrainedTraining(TeacherTraining):
    """The training of a pretrained encoder as a late-interaction teacher."""

    dim: int = 0
    """Dimension of a new projection of the token embeddings, which starts as a random orthogonal matrix drawn from
    ``train.seed``; 0 keeps the embeddings that the encoder has."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(0 <= self.dim < inf, f"{self.section}.dim", f"is {self.dim}", "set 0 or a positive number")


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
    query_prefix: str | None = None
    """Text put in front of queries, such as ``query: ``; by default what the model folder says. A student with weights
    of its own does not take it over: see ``student.query_prefix``."""
    document_prefix: str | None = None
    """Text put in front of documents, such as ``passage: ``; by default what the model folder says."""
    query_tokens: Literal["all", "inner"] | None = None
    """Which tokens of a query score in MaxSim: all, or only those of the text itself, without special tokens, marker
    and prefix; by default what the model folder says. It holds for the student too."""
    centre: Literal["off", "on", "dev"] = "off"
    """Whether the mean token vector of the collection's passages is subtracted from every token vector, of passages and
    queries, teacher and student; ``dev``: if the teacher then finds the translations of more bitext sentences."""
    centre_directions: int = 0
    """So many of the strongest principal directions are removed too, where token vectors are centred."""
    target_role: Role = "query"
    """How it reads the English side of the bitext in a distillation: as a query, or as a document."""
    cache: bool = False
    """Encode the target sides once, into float16 shards that every epoch and every trial of a search reads; losses
    agree with those of an uncached run within float16 rounding."""
    scratch: ScratchConfig | None = None
    """The small teacher to train when ``weights`` is ``scratch``."""
    training: PretrainedTraining | None = None
    """How the pretrained ``weights`` are trained before they teach; none: they teach as they are."""

    def __post_init__(self) -> None:
        for name in ("query_length", "document_length"):
            require(getattr(self, name) >= 4, f"teacher.{name}", f"is {getattr(self, name)}", "set at least 4 tokens")
        choices = {"target_role": ROLES, "query_tokens": ("all", "inner", None), "centre": ("off", "on", "dev")}
        for name, known in choices.items():
            value = getattr(self, name)
            require(value in known, f"teacher.{name}", f"is {value!r}", f"choose from {', '.join(filter(None, known))}")
        directions = self.centre_directions
        require(directions >= 0, "teacher.centre_directions", f"is {directions}", "set 0 or more")
        require(
            (self.weights == "scratch") == (self.scratch is not None),
            "teacher.weights",
            f"is {self.weights!r} and teacher.scratch is {'given' if self.scratch else 'missing'}",
            "set both for a teacher trained by the run, or neither",
        )
        what = "is given, and teacher.scratch trains a teacher without pretrained weights"
        require(self.scratch is None or self.training is None, "teacher.training", what, "leave one of them out")

    @property
    def is_adapted(self) -> bool:
        """Whether it reads texts otherwise than its folder says, or its vectors may be centred."""
        read = (self.query_prefix, self.document_prefix, self.query_tokens)
        return self.centre != "off" or any(setting is not None for setting in read)

    @property
    def trained(self) -> TeacherTraining | None:
        """The training of the teacher by the run, from scratch or from pretrained weights; None if there is none."""
        return self.scratch or self.training


@dataclass(frozen=True, kw_only=True)
class StudentConfig(StartConfig):
    """The query encoder that is trained: where it starts, and a training before the distillation."""

    bridge: TrainConfig | None = None
    """A training by the same objective between the start and the distillation, in which the student reads English
    beside the teacher for a share of the pairs (``mixture.mono_share``): for students of another family."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.bridge:
            share = self.bridge.mixture.mono_share
            what = "is 0, and the student would read no English beside the teacher"
            require(share > 0, "student.bridge.mixture.mono_share", what, "set 0.5 say")

    @property
    def is_changed(self) -> bool:
        """Whether the student differs from the teacher before its first step."""
        return bool(self.weights or self.vocabulary or self.layers or self.is_fitted)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A complete run: bitext, teacher, objective, training, index, evaluation."""

    name: str
    bitext: BitextConfig
    teacher: TeacherConfig
    evaluation: EvaluationConfig
    student: StudentConfig = field(default_factory=StudentConfig)
    objective: ObjectiveConfig = field(default_factory=ot.Config)
    train: TrainConfig = field(default_factory=TrainConfig)
    index: IndexConfig = field(default_factory=exact.Config)

    def __post_init__(self) -> None:
        # A run's folder begins with the name.
        plain = self.name not in ("", ".", "..", "shared") and PurePath(self.name).name == self.name
        require(plain, "name", f"is {self.name!r}, and a run's folder begins with it", "give one plain word")
        _check_parts(self.objective, self.train, "train")

    @property
    def trainings(self) -> dict[str, TrainConfig]:
        """Every training of the run, by the section that configures it."""
        teacher = self.teacher.trained
        return self.student_trainings | ({f"{teacher.section}.train": teacher.train} if teacher else {})

    @property
    def student_trainings(self) -> dict[str, TrainConfig]:
        """Every training of the student, likewise."""
        return {"train": self.train} | ({"student.bridge": self.student.bridge} if self.student.bridge else {})

    def as_dict(self) -> dict:
        """The recipe as plain JSON-serialisable values (tuples become lists)."""
        return {name: _plain(value) for name, value in dataclasses.asdict(self).items()}


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


def decisive(recipe: Recipe) -> dict:
    """The recipe as plain values, without the fields that cannot change its results.

    A component whose version is raised, or that is defined in a user's file, has that besides its fields. Where text
    configures the terms of an objective, their own decisive values take its place.

    Two recipes with equal decisive fields share all artefacts.
    """
    plain = recipe.as_dict()
    for path in idle_fields(recipe):
        *sections, name = path.split(".")
        section = plain
        for key in sections:
            section = section[key]
        del section[name]
    for name, config in components_of(recipe).items():
        plain[name] |= components.code_of(config)
    plain["objective"] |= _plain(recipe.objective.decisive_parts())
    return plain


def components_of(recipe: Recipe) -> dict[str, ObjectiveConfig | IndexConfig | EvaluationConfig]:
    """The sections that hold components, by name."""
    return {"objective": recipe.objective, "index": recipe.index, "evaluation": recipe.evaluation}


def _check_parts(objective: ObjectiveConfig, train: TrainConfig, where: str) -> None:
    what = f"is {train.accumulate}, and the objective {objective.name} compares the pairs of a batch with each other"
    require(objective.divisible or train.accumulate == 1, f"{where}.accumulate", what, "set 1")


def idle_fields(recipe: Recipe) -> Iterator[str]:
    """Paths of the fields that cannot change the results, given the values of the other fields."""
    for where, train in recipe.trainings.items():
        yield from (f"{where}.{name}" for name in _CADENCE)
        if train.max_steps is None:
            yield f"{where}.max_steps"
        if train.noise_weighting == "off":
            yield f"{where}.noise_weighting"
        if train.mixture.weights:
            yield f"{where}.mixture.temperature"
    if not (recipe.bitext.cleaning.drop_test_leaks and recipe.bitext.cleaning.exempt_collections):
        yield "bitext.cleaning.exempt_collections"
    if recipe.teacher.centre == "off":
        yield "teacher.centre_directions"
    if not recipe.student.weights:
        yield "student.query_prefix"
        if not recipe.student.is_fitted:
            yield "student.start"
    if not recipe.student.vocabulary or recipe.student.min_frequency == 1:
        yield "student.min_frequency"
    if recipe.student.word_embeddings == "freeze":
        yield from (f"{where}.embedding_rate" for where in recipe.student_trainings)
    if not recipe.evaluation.baselines:
        yield "evaluation.baselines"
    yield from (f"objective.{name}" for name in recipe.objective.idle())
    if recipe.evaluation.baseline == recipe.evaluation.usual_baseline:
        yield "evaluation.baseline"


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value
