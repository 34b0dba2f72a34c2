"""The student: the encoder it starts from, its tokens, the teacher cache, and the distillation."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from optical.recipe import Recipe
from optical.tracking.progress import LineWriter, Progress
from pipelines.graph.bitext import BITEXT, texts
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.teacher import ENCODER, TEACHER, train
from pipelines.graph.tokens import TokenisedPairs

if TYPE_CHECKING:
    from optical.data.batches.teacher_cache import Encoded, TargetEmbeddings, TeacherCache
    from optical.train.job import TrainJob
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session


class StudentStart(Node):
    """The teacher with the pieces of the student's language added to its vocabulary."""

    kind = "student-start"
    version = 2
    format = ENCODER
    after = (CHECKED_DATA,)

    def for_recipe(self, recipe: Recipe) -> Node:
        """The teacher itself if no vocabulary is added."""
        return self if recipe.student.vocabulary else TEACHER.for_recipe(recipe)

    def made_from(self, workspace: Workspace) -> list[object]:
        """The number of pieces, the teacher, and the text that the pieces are learned from."""
        return [workspace.recipe.student.vocabulary, TEACHER, BITEXT]

    def make(self, session: Session, missing: list) -> None:
        """Learn the pieces and compute their embeddings."""
        from optical.model.encoder import Encoder
        from optical.model.vocabulary.translation import extended_student
        from optical.train.loop import write_encoder

        workspace = session.workspace
        with session.work("vocabulary"):
            sources, targets = (texts(workspace, BITEXT, side) for side in ("source", "target"))
            teacher = Encoder.load(workspace.path(TEACHER))
            student = extended_student(teacher, sources, targets, workspace.recipe.student.vocabulary)
            write_encoder(student, workspace.path(self), workspace.fingerprint_of(self))


STUDENT_START = StudentStart()
TOKENS = TokenisedPairs("tokens", 2, BITEXT, (STUDENT_START, TEACHER), [BITEXT, STUDENT_START])


class CachedTargets(Node):
    """The teacher's embeddings of the target side of every training pair; each shard is an artefact of its own."""

    kind = "teacher-cache"
    version = 1

    def made_from(self, workspace: Workspace) -> list[object]:
        """The teacher, the tokens, and the length to which they are cut."""
        return [TEACHER, TOKENS, workspace.recipe.train.target_length]

    def cache(self, workspace: Workspace) -> TeacherCache:
        """The cache by its place and identity, made or not."""
        from optical.data.batches.teacher_cache import TeacherCache

        length = workspace.recipe.train.target_length
        return TeacherCache(workspace.path(self).absolute(), workspace.fingerprint_of(self), length)

    def opened(self, workspace: Workspace) -> TargetEmbeddings:
        """The embeddings of a complete cache."""
        from optical.data.batches.token_shards import open_tokens

        return self.cache(workspace).open(open_tokens(workspace.path(TOKENS)))

    def missing(self, workspace: Workspace) -> list:
        """Numbers of the shards that are not there."""
        from optical.data.batches.token_shards import open_tokens

        return self.cache(workspace).missing(open_tokens(workspace.path(TOKENS)))

    def make(self, session: Session, missing: list) -> None:
        """Encode the missing shards.

        Raises:
            InfrastructureError: the disk has no room for them.
        """
        from optical.data.batches.token_shards import open_tokens
        from optical.model.encoder import Encoder
        from optical.train.encode_targets import encoded_targets

        workspace = session.workspace
        cache, tokens, teacher = self.cache(workspace), open_tokens(workspace.path(TOKENS)), workspace.path(TEACHER)
        dim = Encoder.load(teacher).dim
        cache.check_space(tokens, missing, dim)
        total = sum(len(lengths) for number, lengths in enumerate(cache.lengths(tokens)) if number in missing)
        resources, cores, length = workspace.settings.resources, os.cpu_count() or 1, cache.target_length
        with session.work("cache"), Progress("cache", total, "pairs") as progress:
            encoded = encoded_targets(tokens, missing, teacher.absolute(), length, resources, cores)
            cache.write(tokens, missing, dim, _counted(encoded, progress))


TEACHER_CACHE = CachedTargets()


class Student(Node):
    """The distilled student."""

    kind = "student"
    version = 1
    format = ENCODER

    def made_from(self, workspace: Workspace) -> list[object]:
        """Tokens, teacher, objective, the teacher cache if it is read, and training."""
        recipe, decisive = workspace.recipe, workspace.decisive
        cache = [TEACHER_CACHE] if recipe.teacher.cache else []
        return [TOKENS, TEACHER, decisive["objective"], *cache, decisive["train"]]

    def folder(self, workspace: Workspace) -> Path:
        """In the run's own folder: runs do not share it."""
        return workspace.run_dir / "student"

    def path(self, workspace: Workspace) -> Path:
        """Checkpoints and journal are next to the encoder."""
        return self.folder(workspace) / ENCODER

    def make(self, session: Session, missing: list) -> None:
        """Distil it; resumes from the last checkpoint."""
        workspace = session.workspace
        _report_cache(workspace)
        train(session, student_job(workspace, self.folder(workspace)), "train", workspace.settings.resources)


STUDENT = Student()


def student_job(workspace: Workspace, folder: Path) -> TrainJob:
    """The distillation of a workspace's student in ``folder``."""
    from optical.train.job import TrainJob

    recipe = workspace.recipe
    return TrainJob(
        fingerprint=workspace.fingerprint_of(STUDENT),
        tokens=workspace.path(TOKENS).absolute(),
        start=workspace.path(STUDENT_START).absolute(),
        teacher=workspace.path(TEACHER).absolute(),
        teacher_cache=TEACHER_CACHE.cache(workspace) if recipe.teacher.cache else None,
        folder=folder.absolute(),
        train=recipe.train,
        objective=recipe.objective,
    )


def _counted(encoded: Iterator[Encoded], progress: Progress) -> Iterator[Encoded]:
    for part in encoded:
        progress.advance(part["pairs"])
        yield part


def _report_cache(workspace: Workspace) -> None:
    """Report whether training reads a teacher cache, and what that saves; or that there is one that it could read."""
    folder = workspace.path(TEACHER_CACHE).absolute()
    if workspace.recipe.teacher.cache:
        facts = TEACHER_CACHE.opened(workspace).facts
        saved = f"saves about {facts['encoder_seconds']:,.0f} s of encoding an epoch, {facts['megabytes']:,.1f} MB"
        LineWriter().show(f"teacher cache  {saved}  {folder}", final=True)
    elif folder.is_dir():
        LineWriter().show(f"teacher cache  not read, --teacher.cache would  {folder}", final=True)
