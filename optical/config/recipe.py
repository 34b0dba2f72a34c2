"""A complete run."""

import dataclasses
from dataclasses import dataclass, field

from optical.config.bitext import BitextConfig
from optical.config.models import StudentConfig, TeacherConfig
from optical.config.objective import ObjectiveConfig
from optical.config.retrieval import EvaluationConfig, IndexConfig
from optical.config.train import TrainConfig


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
