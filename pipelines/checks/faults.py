"""What would fail after minutes of work, looked at before it: a recipe on its own, then its data.

``faults`` looks at a recipe and the shape of its teacher, when nothing is made yet. ``check_data`` looks at what
``prepare`` made, before anything is trained.
"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical import artefacts
from optical.data.bitext.shards import BITEXT
from optical.errors import DataError, UserError
from optical.evaluation.notation import cutoff
from optical.model.config import SCRATCH_POSITIONS
from optical.model.folder import Shape, read_shape
from optical.recipe import Recipe
from optical.train.config import TrainConfig
from pipelines.workspace import Workspace


def check_recipe(workspace: Workspace) -> None:
    """Refuse a recipe that would fail later on.

    Raises:
        UserError: the first of its ``faults``.
    """
    folder = None if workspace.scratch_teacher else workspace.pretrained
    for fault in faults(workspace.recipe, folder):
        raise fault


def faults(recipe: Recipe, teacher: Path | None) -> Iterator[UserError]:
    """What is impossible in a recipe, field by field.

    Args:
        recipe: as it was asked for.
        teacher: folder of a pretrained teacher; None when it is not available, or trained by the run.
    """
    scratch = recipe.teacher.scratch
    shape = Shape(SCRATCH_POSITIONS, scratch.dim, "WordPiece") if scratch else read_shape(teacher) if teacher else None
    yield from _length_faults(recipe, shape)
    yield from _mixture_faults("train", recipe.train, recipe.bitext.datasets)
    if scratch:
        yield from _mixture_faults("teacher.scratch.train", scratch.train, scratch.pairs)
    if recipe.student.vocabulary and shape and shape.vocabulary != "WordPiece":
        what = f"is {recipe.student.vocabulary}, and the teacher's vocabulary is {shape.vocabulary}, not WordPiece"
        yield UserError("student.vocabulary", what, "set 0, or take a teacher of the BERT kind")
    deepest = max(recipe.evaluation.measures, key=lambda measure: cutoff(measure) or 0)
    if recipe.index.depth < (passages := cutoff(deepest) or 0):
        what = f"is {recipe.index.depth}, and {deepest} looks at {passages} passages of every query"
        yield UserError("index.depth", what, f"set at least {passages}")
    if shape:
        yield from _index_faults(recipe, shape.dim)


def check_data(workspace: Workspace) -> None:
    """Compare what ``prepare`` made with what training and index will ask of it.

    Raises:
        DataError: too few sentence pairs or questions.
        UserError: the index cannot be built from so few passages.
    """
    recipe = workspace.recipe
    _check_pairs(workspace.bitext, "sentence pairs", recipe)
    if workspace.scratch_teacher:
        _check_pairs(workspace.questions, "question-passage pairs", recipe)
    if workspace.proposes:
        dim = recipe.teacher.scratch.dim if workspace.scratch_teacher else read_shape(workspace.pretrained).dim
        tokens = certain_tokens(workspace.collection / "passages.parquet", recipe.teacher.document_length)
        recipe.index.check(dim, tokens)


def certain_tokens(passages: Path, length: int) -> int:
    """Fewest tokens that passages cut to ``length`` can have: one a word, and the two special ones."""
    texts = pq.read_table(passages, columns=["text"])["text"]
    words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts)))
    return pc.sum(pc.min_element_wise(pc.add(words, 2), length)).as_py()


def _length_faults(recipe: Recipe, shape: Shape | None) -> Iterator[UserError]:
    if not shape:
        return
    trainings = {"train": recipe.train}
    if recipe.teacher.scratch:
        trainings["teacher.scratch.train"] = recipe.teacher.scratch.train
    lengths = {f"teacher.{name}": getattr(recipe.teacher, name) for name in ("query_length", "document_length")}
    for where, train in trainings.items():
        lengths |= {f"{where}.{name}": getattr(train, name) for name in ("source_length", "target_length")}
    for where, length in lengths.items():
        if length > shape.positions:
            what = f"is {length}, and the teacher can read {shape.positions} tokens"
            yield UserError(where, what, f"set at most {shape.positions}")


def _mixture_faults(where: str, train: TrainConfig, datasets: tuple[str, ...]) -> Iterator[UserError]:
    weights = train.mixture.weights
    if weights and len(weights) != len(datasets):
        what = f"has {len(weights)} weights for {len(datasets)} data sets ({', '.join(datasets)})"
        yield UserError(f"{where}.mixture.weights", what, "give one weight for each")


def _index_faults(recipe: Recipe, dim: int) -> Iterator[UserError]:
    try:
        recipe.index.check(dim)
    except UserError as fault:
        yield fault


def _check_pairs(folder: Path, what: str, recipe: Recipe) -> None:
    pairs, dev = sum(artefacts.read(folder, BITEXT, verify=False).info["accepted"].values()), recipe.bitext.dev_pairs
    if pairs < 2 * dev:
        advice = f"give more, or set bitext.dev_pairs to {pairs // 2} or less"
        raise DataError(folder, f"{pairs} {what}, of which bitext.dev_pairs would hold out {dev}", advice)
