"""The student before its first step: the teacher, or an encoder of its own that is brought into the teacher's space."""

from collections.abc import Sequence
from pathlib import Path

from torch import nn

from optical.model.alignment import LENGTH, projection_between, reader
from optical.model.config import StartConfig
from optical.model.cutting import keep_layers
from optical.model.encoder import Encoder
from optical.model.gaussian import gaussian_start
from optical.model.storage import load_encoder
from optical.model.text.roles import Role
from optical.model.vocabulary.translation import extended_student

_SENTENCES = 3000


def student_start(
    config: StartConfig,
    teacher: Path,
    weights: Path | None,
    sources: Sequence[str],
    targets: Sequence[str],
    target_role: Role = "query",
) -> tuple[Encoder, dict[str, str | float]]:
    """The student before its first step, and facts about how it was made.

    Args:
        config: how it differs from the teacher.
        teacher: folder of the teacher.
        weights: folder of the student's own weights; None if it starts from the teacher's.
        sources: source side of the bitext.
        targets: its English side, in the same order.
        target_role: how the teacher reads the English side in the distillation. The start leads to the same vectors.
    """
    student = load_encoder(weights or teacher).eval()
    keep_layers(student.backbone, config.layers)
    if config.vocabulary:
        student = extended_student(student, sources, targets, config.vocabulary, config.min_frequency)
    if weights is None and not config.is_fitted:
        return student, {}
    guide = load_encoder(teacher).eval()
    # Prefix and marker belong to a family of models, so the student does not take those of the teacher.
    if weights is not None:
        student.reader = student.reader.adapted(config.query_prefix, None, guide.reader.roles.query.scored)
    if config.start == "gaussian":
        layer, facts = gaussian_start(student, guide, _spaced(sources), _spaced(targets), target_role)
        student.head = nn.Sequential(*student.head, layer)
        return student, facts
    return student, _move(student, guide, targets, config.start, target_role)


def _move(
    student: Encoder, teacher: Encoder, english: Sequence[str], method: str, role: Role
) -> dict[str, str | float]:
    """Give the student the projection that maps its token vectors of a query on those of the teacher in a role."""
    if method == "none":
        return {}
    read_teacher = reader(teacher, LENGTH, role)
    found = projection_between(student, teacher, _spaced(english), method, read_teacher=read_teacher)
    student.head = nn.Sequential(found.layer())
    told = f"{method} on {found.tokens:,} aligned tokens, cosine with the teacher's {found.cosine_after:.3f}"
    if found.cosine_before is not None:
        told += f" (before {found.cosine_before:.3f})"
    return {"start": told, "aligned_tokens": found.tokens, "cosine_with_teacher": found.cosine_after}


def _spaced(texts: Sequence[str]) -> Sequence[str]:
    """Up to 3,000 of the texts, evenly spaced."""
    return texts[:: max(1, len(texts) // _SENTENCES)][:_SENTENCES]
