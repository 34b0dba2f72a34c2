"""The cross-lingual protocol: the student between zero-shot, which it starts from, and the English ceiling."""

from dataclasses import dataclass
from typing import ClassVar

from optical.evaluation.protocols.base import EvaluationConfig
from optical.evaluation.systems import Reading, System


@dataclass(frozen=True, kw_only=True)
class Config(EvaluationConfig):
    """The test collection, and the comparison of the student with the teacher on it.

    ``student_start`` is measured where the student differs from the teacher before its first step, ``student_bridge``
    where it has a bridge, ``english_ceiling`` where every topic has its English.
    """

    protocol: str = "crosslingual"
    """Which systems are compared, with which baseline, by which test."""
    baseline: str = "zero_shot"

    ceiling: ClassVar[str] = "english_ceiling"
    systems: ClassVar[tuple[System, ...]] = (
        System(
            name="zero_shot",
            made_by=Reading("teacher", "query"),
            label="zero-shot",
            meaning="the teacher reads the query in its own language: what there was before any training",
        ),
        System(
            name="student_start",
            made_by=Reading("start", "query"),
            label="student before its first step",
            meaning="the student before its first step: the teacher, or an encoder that a closed form has brought into "
            "the teacher's space, with word pieces of the query's language where these are added",
        ),
        System(
            name="student_bridge",
            made_by=Reading("bridge", "query"),
            label="student after its bridge",
            meaning="the student after it has read English beside the teacher, before the distillation",
        ),
        System(
            name="student",
            made_by=Reading("student", "query"),
            label="student",
            meaning="the trained query encoder, on the same queries and the same index",
        ),
        System(
            name="english_ceiling",
            made_by=Reading("teacher", "english"),
            label="English ceiling",
            meaning="the teacher reads the human English translation of the query. It is a yardstick and no bound: "
            "a student may pass it",
        ),
    )
