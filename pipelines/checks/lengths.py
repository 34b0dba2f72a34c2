"""Every length at which a recipe cuts texts, with the encoder that reads them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from optical.model.text.roles import Role
from optical.recipe import Recipe

Reader = Literal["teacher", "student"]


@dataclass(frozen=True)
class Cut:
    """A length in tokens at which an encoder's texts are cut."""

    field: str
    """The field that sets it."""
    length: int
    reader: Reader
    """Whose tokenizer reads the texts, and whose positions limit them. A student without weights of its own reads as
    the teacher does."""
    role: Role
    """How it reads them."""


def cuts(recipe: Recipe) -> Iterator[Cut]:
    """Every length of a recipe and who reads at it; a field has several where both encoders read."""
    teacher = recipe.teacher
    yield Cut("teacher.query_length", teacher.query_length, "teacher", "query")
    yield Cut("teacher.query_length", teacher.query_length, "student", "query")
    yield Cut("teacher.document_length", teacher.document_length, "teacher", "document")
    for where, train in recipe.trainings.items():
        learns = where in recipe.student_trainings
        reader: Reader = "student" if learns else "teacher"
        yield Cut(f"{where}.source_length", train.source_length, reader, "query")
        role = teacher.target_role if learns else "document"
        yield Cut(f"{where}.target_length", train.target_length, "teacher", role)
        if train.target_length < train.source_length:
            # Whoever reads the sources has the English side as a query too, cut to the shorter of both lengths.
            yield Cut(f"{where}.target_length", train.target_length, reader, "query")
