"""The teacher: a pretrained encoder as it is, or a small one that the run trains from scratch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optical.artefacts import fingerprint
from optical.model.weights import find_weights, weights_fingerprint
from optical.recipe import Recipe
from optical.resources import Resources
from pipelines.graph.bitext import BITEXT, QUESTIONS, texts
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.tokens import TokenisedPairs

if TYPE_CHECKING:
    from optical.train.job import TrainJob
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session

ENCODER = "encoder"


class TeacherStart(Node):
    """A scratch teacher before training: a vocabulary learned from the pairs, and random weights."""

    kind = "teacher-start"
    version = 2
    format = ENCODER
    after = (CHECKED_DATA,)

    def made_from(self, workspace: Workspace) -> list[object]:
        """Its shape, the seed of its weights, and the text that its vocabulary is learned from."""
        scratch = workspace.decisive["teacher"]["scratch"]
        shape = {name: scratch[name] for name in ("vocabulary", "hidden", "layers", "heads", "dim")}
        return [shape, scratch["train"]["seed"], BITEXT, QUESTIONS]

    def make(self, session: Session, missing: list) -> None:
        """Learn the vocabulary and draw the weights."""
        from optical.model.encoder import Encoder
        from optical.model.vocabulary.tokenizer import learn_wordpiece
        from optical.train.loop import write_encoder

        workspace = session.workspace
        scratch = workspace.recipe.teacher.scratch
        learned_from = [text for pairs in (BITEXT, QUESTIONS) for text in texts(workspace, pairs, "source", "target")]
        encoder = Encoder.scratch(scratch, learn_wordpiece(learned_from, scratch.vocabulary), scratch.train.seed)
        write_encoder(encoder, workspace.path(self), workspace.fingerprint_of(self))


TEACHER_START = TeacherStart()
QUESTION_TOKENS = TokenisedPairs("question-tokens", 2, QUESTIONS, (TEACHER_START, TEACHER_START), [TEACHER_START])


class ScratchTeacher(Node):
    """A small teacher, trained on question-passage pairs by a contrastive loss."""

    kind = "teacher"
    version = 1
    format = ENCODER

    def for_recipe(self, recipe: Recipe) -> Node:
        """A pretrained encoder is taken as it is."""
        return self if recipe.teacher.scratch else PRETRAINED

    def made_from(self, workspace: Workspace) -> list[object]:
        """Its tokens, training and temperature."""
        scratch = workspace.decisive["teacher"]["scratch"]
        return [QUESTION_TOKENS, scratch["train"], scratch["temperature"]]

    def path(self, workspace: Workspace) -> Path:
        """Checkpoints and journal are next to the encoder."""
        return self.folder(workspace) / ENCODER

    def make(self, session: Session, missing: list) -> None:
        """Train it; resumes from the last checkpoint."""
        from optical.train.job import TrainJob

        workspace = session.workspace
        scratch = workspace.recipe.teacher.scratch
        job = TrainJob(
            fingerprint=workspace.fingerprint_of(self),
            tokens=workspace.path(QUESTION_TOKENS).absolute(),
            start=workspace.path(TEACHER_START).absolute(),
            folder=self.folder(workspace).absolute(),
            train=scratch.train,
            objective=scratch.objective,
        )
        # A question's negatives are the other passages of its rank: more workers would make another teacher.
        train(session, job, "teacher", replace(workspace.settings.resources, num_workers=1, min_workers=0))


class PretrainedTeacher(Node):
    """A pretrained teacher: input data of the run, which is used where it lies."""

    kind = "teacher"

    def made_from(self, workspace: Workspace) -> list[object]:
        """The bytes of its files."""
        return [weights_fingerprint(workspace.path(self))]

    def fingerprint(self, workspace: Workspace) -> str:
        """Identity of the weights; no version of this project decides them."""
        return fingerprint([self.kind, *workspace.parts(self)])

    def path(self, workspace: Workspace) -> Path:
        """The folder of the weights."""
        teacher = workspace.recipe.teacher
        return find_weights(teacher.weights, teacher.revision)

    def ensure(self, session: Session) -> None:
        """Nothing is made."""


TEACHER = ScratchTeacher()
PRETRAINED = PretrainedTeacher()


def train(session: Session, job: TrainJob, verb: str, resources: Resources) -> None:
    """Run a training job, with its journal shown as progress and mirrored."""
    from optical.train.ray import fit

    with session.work(verb), session.follow(job.journal):
        fit(job, resources)
