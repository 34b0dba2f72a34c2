"""Checks of the student against its own weights and the teacher's, before any work."""

import json
from collections.abc import Iterator
from pathlib import Path

from optical.errors import UserError
from optical.model.folder import Shape, read_shape
from optical.model.text.special import TOKENIZER
from optical.recipe import Recipe
from pipelines.checks.lengths import cuts


def student_faults(recipe: Recipe, teacher: Shape | None, taught: Path | None, own: Path | None) -> Iterator[UserError]:
    """Impossible values of the student's fields.

    Args:
        recipe: the recipe.
        teacher: shape of the teacher, if it is known.
        taught: folder of the teacher's pretrained weights, if they are here.
        own: folder of the student's own weights, if it has some and they are here.
    """
    student = recipe.student
    if student.weights and own is None:
        return
    shape = read_shape(own) if own else teacher
    if shape is None:
        return
    if own and teacher and student.start in ("gaussian", "none") and shape.dim != teacher.dim:
        what = f"is {student.start}, and the student has {shape.dim} dimensions, the teacher {teacher.dim}"
        yield UserError("student.start", what, "set ridge or procrustes, which fit a projection")
    if shape.layers and student.layers > shape.layers:
        yield UserError("student.layers", f"is {student.layers}, and there are {shape.layers}", "set 0 for all")
    if own:
        yield from _length_faults(recipe, shape.positions)
    folder = own or taught
    if student.vocabulary and folder and (kind := _unextendable(folder)):
        what = f"is {student.vocabulary}, and the vocabulary is {kind}, which is not extended"
        yield UserError("student.vocabulary", what, "set 0, or take WordPiece, Unigram or byte-level BPE")


def _unextendable(folder: Path) -> str | None:
    # Its libraries take a second to load, so they are loaded only where a vocabulary is to be extended.
    from optical.model.vocabulary.extension import unextendable

    return unextendable(json.loads((folder / TOKENIZER).read_text(encoding="utf-8")))


def _length_faults(recipe: Recipe, positions: int) -> Iterator[UserError]:
    for cut in cuts(recipe):
        if cut.reader == "student" and cut.length > positions:
            what = f"is {cut.length}, and the student can read {positions} tokens"
            yield UserError(cut.field, what, f"set {positions}")
