"""The student: the encoder it starts from, its tokens, the teacher cache, and the distillation."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optical.data.batches.token_shards import open_tokens
from optical.model.folder import read_shape, weights_fingerprint
from optical.model.formats.layout import read_layout
from optical.model.weights import find_weights
from optical.tracking.progress import LineWriter, Progress
from pipelines.graph.bitext import BITEXT, texts
from pipelines.graph.earlier import copied_from_earlier
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.teacher import ENCODER, TEACHER, train
from pipelines.graph.tokens import ReadBy, tokenised
from pipelines.graph.workspace import Context, Workspace

if TYPE_CHECKING:
    from optical.data.batches.teacher_cache import Encoded, TeacherCache
    from optical.train.config import TrainConfig
    from optical.train.job import TrainJob


def teacher_cache(workspace: Workspace) -> "TeacherCache":
    """The teacher cache by its place and identity, made or not."""
    from optical.data.batches.teacher_cache import TeacherCache

    folder, identity = workspace.path(TEACHER_CACHE).absolute(), workspace.fingerprint_of(TEACHER_CACHE)
    return TeacherCache(folder, identity, workspace.recipe.train.target_length)


def cache_facts(workspace: Workspace) -> dict:
    """Pairs, tokens, megabytes, and seconds of encoding of a complete teacher cache."""
    return teacher_cache(workspace).open(open_tokens(workspace.path(TOKENS))).facts


def student_job(workspace: Workspace, folder: Path) -> "TrainJob":
    """The distillation of a workspace's student in ``folder``."""
    recipe = workspace.recipe
    cache = teacher_cache(workspace) if recipe.teacher.cache else None
    return replace(
        _job(workspace, STUDENT, STUDENT_BRIDGE, recipe.train), folder=folder.absolute(), teacher_cache=cache
    )


def _job(workspace: Workspace, trained: Node, start: Node, train: "TrainConfig") -> "TrainJob":
    """One training of the student, in the folder of the node that it makes."""
    from optical.train.job import TrainJob

    return TrainJob(
        fingerprint=workspace.fingerprint_of(trained),
        tokens=workspace.path(TOKENS).absolute(),
        start=workspace.path(start).absolute(),
        teacher=workspace.path(TEACHER).absolute(),
        folder=workspace.folder(trained).absolute(),
        train=train,
        objective=workspace.recipe.objective,
        word_embeddings=workspace.recipe.student.word_embeddings,
    )


def _make_start(session: Context, path: Path, identity: str) -> None:
    from optical.model.starting import student_start
    from optical.train.loop import write_encoder

    workspace = session.workspace
    own = workspace.path(STUDENT_WEIGHTS) if workspace.has(STUDENT_WEIGHTS) else None
    with session.work("start"):
        sources, targets = (texts(workspace, BITEXT, side) for side in ("source", "target"))
        config, role = workspace.recipe.student, workspace.recipe.teacher.target_role
        student, facts = student_start(config, workspace.path(TEACHER), own, sources, targets, role)
        write_encoder(student, path, identity, facts)
    for told in (facts.get("start"), other_prefix(workspace)):
        if told:
            LineWriter().show(f"student start  {told}", final=True)


def other_prefix(workspace: Workspace) -> str:
    """What a student with weights of its own reads in front of queries, where the teacher reads another prefix.

    A prefix belongs to a family of models, so such a student has that of its folder or of ``student.query_prefix``.
    """
    if not workspace.has(STUDENT_WEIGHTS):
        return ""
    read = (read_layout(workspace.path(node)).roles.query for node in (TEACHER, STUDENT_START))
    # What a marker overwrites is no prefix that the encoder reads.
    teacher, own = ("" if query.overwrites else query.prefix for query in read)
    if teacher == own:
        return ""
    said = [repr(prefix) if prefix else "no prefix" for prefix in (own, teacher)]
    return f"reads queries with {said[0]} (student.query_prefix), and the teacher with {said[1]}"


def _start_settings(workspace: Workspace) -> list[object]:
    """The settings that decide the start; a role other than the usual one decides it where a layer is fitted."""
    recipe, fields = workspace.recipe, workspace.decisive["student"]
    fitted, role = recipe.student.is_fitted, recipe.teacher.target_role
    settings = {name: fields.get(name) for name in ("start", "vocabulary", "layers")}
    given = {name: fields[name] for name in ("query_prefix", "min_frequency") if fields.get(name) is not None}
    return [settings | given, *([role] if fitted and role != "query" else [])]


def _make_bridge(session: Context, path: Path, identity: str) -> None:
    workspace = session.workspace
    if (bridge := workspace.recipe.student.bridge) is None:
        raise ValueError(f"{workspace.recipe.name} has no bridge")
    job = replace(_job(workspace, STUDENT_BRIDGE, STUDENT_START, bridge), is_bridge=True)
    train(session, job, "bridge", workspace.settings.resources)


def _make_cache(session: Context, path: Path, identity: str) -> None:
    """Encode the shards that are missing; raises an ``InfrastructureError`` if the disk has no room for them."""
    from optical.train.encode_targets import encoded_targets

    workspace = session.workspace
    cache, tokens, teacher = teacher_cache(workspace), open_tokens(workspace.path(TOKENS)), workspace.path(TEACHER)
    missing = cache.missing(tokens)
    if not missing:
        return
    dim = read_shape(teacher).dim
    cache.check_space(tokens, missing, dim)
    total = sum(len(lengths) for number, lengths in enumerate(cache.lengths(tokens)) if number in missing)
    resources, cores, length = workspace.settings.resources, os.cpu_count() or 1, cache.target_length
    with session.work("cache"), Progress("cache", total, "pairs") as progress:
        encoded = encoded_targets(tokens, missing, teacher.absolute(), length, resources, cores)
        cache.write(tokens, missing, dim, _counted(encoded, progress))


def _counted(encoded: Iterator["Encoded"], progress: Progress) -> Iterator["Encoded"]:
    for part in encoded:
        progress.advance(part["pairs"])
        yield part


def _train(session: Context, path: Path, identity: str) -> None:
    workspace = session.workspace
    job = student_job(workspace, workspace.folder(STUDENT))
    if copied_from_earlier(workspace, STUDENT, workspace.fingerprint_of(STUDENT), job.journal.name):
        return
    _report_cache(workspace)
    train(session, job, "train", workspace.settings.resources)


def _report_cache(workspace: Workspace) -> None:
    """Report whether training reads a teacher cache, and what that saves; or that there is one that it could read."""
    folder = workspace.path(TEACHER_CACHE).absolute()
    if workspace.recipe.teacher.cache:
        facts = cache_facts(workspace)
        saved = f"saves about {facts['encoder_seconds']:,.0f} s of encoding an epoch, {facts['megabytes']:,.1f} MB"
        LineWriter().show(f"teacher cache  {saved}  {folder}", final=True)
    elif folder.is_dir():
        LineWriter().show(f"teacher cache  not read, --teacher.cache would  {folder}", final=True)


STUDENT_WEIGHTS: Node = Node(
    kind="student-weights",
    made_from=lambda workspace: [weights_fingerprint(workspace.path(STUDENT_WEIGHTS))],
    folder=lambda workspace: find_weights(
        workspace.recipe.student.weights or "", workspace.recipe.student.revision, workspace.settings.cache, "student"
    ),
    needed=lambda recipe: bool(recipe.student.weights),
)
"""Pretrained weights of a student that is not the teacher's copy, used where they lie."""

STUDENT_START = Node(
    kind="student-start",
    version=3,
    format=ENCODER,
    after=(CHECKED_DATA,),
    made_from=lambda workspace: [
        *_start_settings(workspace),
        *(STUDENT_WEIGHTS, TEACHER, BITEXT),
    ],
    make=_make_start,
    needed=lambda recipe: recipe.student.is_changed,
    otherwise=TEACHER,
)
"""The encoder that the student starts from: the teacher, or an encoder of its own in the teacher's space, with pieces
of the student's language if these are added."""

TOKENS = tokenised(
    "tokens",
    3,
    BITEXT,
    ReadBy(STUDENT_START, lambda recipe: "query"),
    ReadBy(TEACHER, lambda recipe: recipe.teacher.target_role),
)

STUDENT_BRIDGE = Node(
    kind="student-bridge",
    version=1,
    format=ENCODER,
    made_from=lambda workspace: [
        *(TOKENS, TEACHER, workspace.decisive["objective"]),
        *(workspace.decisive["student"]["bridge"], workspace.recipe.student.word_embeddings),
    ],
    make=_make_bridge,
    needed=lambda recipe: recipe.student.bridge is not None,
    otherwise=STUDENT_START,
    inner=ENCODER,
)
"""The student after it has read English beside the teacher, where the recipe asks for that."""

TEACHER_CACHE = Node(
    kind="teacher-cache",
    version=1,
    made_from=lambda workspace: [TEACHER, TOKENS, workspace.recipe.train.target_length],
    make=_make_cache,
    partial=True,
)
"""The teacher's embeddings of the target side of every training pair; each shard is an artefact of its own."""

STUDENT = Node(
    kind="student",
    version=1,
    format=ENCODER,
    made_from=lambda workspace: [
        *(TOKENS, TEACHER, STUDENT_BRIDGE, workspace.decisive["objective"]),
        *([TEACHER_CACHE] if workspace.recipe.teacher.cache else []),
        workspace.decisive["train"],
        workspace.recipe.student.word_embeddings,
    ],
    make=_train,
    folder=lambda workspace: workspace.run_dir / "student",
    inner=ENCODER,
)
"""The distilled student, in the run's own folder; checkpoints and journal are next to the encoder."""
