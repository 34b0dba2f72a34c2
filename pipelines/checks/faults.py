"""Early refusals: what would fail after minutes of work is found before it.

``faults`` checks a recipe and the shape of its teacher, before anything is made. ``check_data`` checks the data that
``prepare`` made, before anything is trained.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq

from optical.errors import DataError, UserError
from optical.evaluation import baselines
from optical.evaluation.notation import cutoff
from optical.evaluation.pretrained import FIELD, parse_pretrained
from optical.model.config import SCRATCH_POSITIONS
from optical.model.folder import Shape, read_shape
from optical.model.translators.folder import check_translator, find_translator
from optical.recipe import Recipe, TeacherConfig
from optical.train.config import TrainConfig
from pipelines.checks.baselines import baseline_faults, repeated, translators
from pipelines.checks.exempted import exempted_faults
from pipelines.checks.lengths import cuts
from pipelines.checks.reading import reading_faults
from pipelines.checks.student import student_faults
from pipelines.graph.bitext import BITEXT, QUESTIONS
from pipelines.graph.collection import COLLECTION
from pipelines.graph.node import Node
from pipelines.graph.passages import CANDIDATES
from pipelines.graph.pretrained import find_pretrained
from pipelines.graph.student import STUDENT_WEIGHTS
from pipelines.graph.teacher import PRETRAINED
from pipelines.graph.workspace import Workspace


def check_recipe(workspace: Workspace) -> None:
    """Refuse a recipe that would fail later, and workers that would change its result.

    Raises:
        UserError: the first of its ``faults``, or several workers for an objective that compares the pairs of a batch.
        DataError: the folder of a model to compare with is incomplete, or is none of its kind.
    """
    folder = None if workspace.recipe.teacher.scratch else workspace.path(PRETRAINED)
    own = workspace.path(STUDENT_WEIGHTS) if workspace.has(STUDENT_WEIGHTS) else None
    for fault in faults(workspace.recipe, folder, own):
        raise fault
    for spec in workspace.recipe.evaluation.pretrained:
        check_pretrained(spec, workspace.settings.cache)
    for by in translators(workspace.recipe):
        check_translator(find_translator(by.weights, by.revision, baselines.FIELD), by.codes, baselines.FIELD)
    objective, workers = workspace.recipe.objective, workspace.settings.resources.num_workers
    if workers > 1 and not objective.takes_workers:
        what = f"is {workers}, and {objective.name} compares a pair with those of its own worker only"
        raise UserError("num_workers", what, "set 1: another number would train another student of the same name")


def faults(recipe: Recipe, teacher: Path | None, student: Path | None = None) -> Iterator[UserError]:
    """Impossible values in a recipe, field by field.

    Args:
        recipe: the recipe.
        teacher: folder of the pretrained weights; None if it is not available, or if there are none.
        student: folder of the student's own weights, likewise.
    """
    trained = recipe.teacher.trained
    shape = _shape(recipe.teacher, teacher)
    yield from _length_faults(recipe, shape)
    for where, train in recipe.trainings.items():
        read = recipe.bitext.datasets if where in recipe.student_trainings or not trained else trained.pairs
        yield from _mixture_faults(where, train, read)
    yield from student_faults(recipe, shape, teacher, student)
    yield from reading_faults(recipe, teacher, student)
    yield from exempted_faults(recipe)
    if shape and recipe.teacher.centre != "off" and recipe.teacher.centre_directions >= shape.dim:
        what = f"is {recipe.teacher.centre_directions}, and the teacher's vectors have {shape.dim} dimensions"
        yield UserError("teacher.centre_directions", what, "set a smaller number")
    deepest = max(recipe.evaluation.measures, key=lambda measure: cutoff(measure) or 0)
    if recipe.index.depth < (passages := cutoff(deepest) or 0):
        what = f"is {recipe.index.depth}, and {deepest} looks at {passages} passages of every query"
        yield UserError("index.depth", what, f"set at least {passages}")
    if shape:
        yield from _index_faults(recipe, shape.dim)
    yield from repeated(FIELD, recipe.evaluation.pretrained)
    yield from baseline_faults(recipe)


def check_pretrained(spec: str, cache: Path) -> Path:
    """The folder of a pretrained encoder to compare with, checked as far as that is possible without its weights.

    Args:
        spec: of the encoder.
        cache: where quantised weights of a package are unpacked.

    Raises:
        UserError: there are no such weights here, their package is not installed, or a hub id lacks its commit.
        DataError: the folder is incomplete, contradicts itself, or does not pool though the spec says ``dense``.
        InfrastructureError: the hub cannot be reached and its cache has no copy.
    """
    encoder = parse_pretrained(spec)
    folder = find_pretrained(encoder, cache)
    read_shape(folder, encoder.pooled)
    return folder


def check_data(workspace: Workspace) -> None:
    """Compare the prepared data with what training and index need.

    Raises:
        DataError: too few sentence pairs or questions.
        UserError: the index cannot be built from so few passages.
    """
    _check_pairs(workspace, BITEXT, "sentence pairs")
    if workspace.has(QUESTIONS):
        _check_pairs(workspace, QUESTIONS, "question-passage pairs")
    if workspace.has(CANDIDATES):
        teacher = workspace.recipe.teacher
        shape = _shape(teacher, None if teacher.scratch else workspace.path(PRETRAINED))
        tokens = certain_tokens(workspace.path(COLLECTION) / "passages.parquet", teacher.document_length)
        if shape:
            workspace.recipe.index.check(shape.dim, tokens)


def certain_tokens(passages: Path, length: int) -> int:
    """Lower bound of the number of tokens in passages cut to ``length``: one for each word, and two special ones."""
    texts = pq.read_table(passages, columns=["text"])["text"]
    words = pc.list_value_length(pc.utf8_split_whitespace(pc.utf8_trim_whitespace(texts)))
    return pc.sum(pc.min_element_wise(pc.add(words, 2), length)).as_py()


def _shape(teacher: TeacherConfig, folder: Path | None) -> Shape | None:
    """The shape of the teacher after its training, as far as its weights are available."""
    if teacher.scratch:
        return Shape(SCRATCH_POSITIONS, teacher.scratch.dim, "WordPiece")
    found = read_shape(folder) if folder else None
    return replace(found, dim=teacher.training.dim or found.dim) if found and teacher.training else found


def _length_faults(recipe: Recipe, shape: Shape | None) -> Iterator[UserError]:
    if not shape:
        return
    # What a student with weights of its own reads is looked at in ``student_faults``.
    shared = not recipe.student.weights
    lengths = {cut.field: cut.length for cut in cuts(recipe) if shared or cut.reader == "teacher"}
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


def _check_pairs(workspace: Workspace, node: Node, what: str) -> None:
    pairs, dev = sum(workspace.info(node)["accepted"].values()), workspace.recipe.bitext.dev_pairs
    if pairs < 2 * dev:
        advice = f"give more, or set bitext.dev_pairs to {pairs // 2} or less"
        raise DataError(workspace.path(node), f"{pairs} {what}, of which bitext.dev_pairs would hold out {dev}", advice)
