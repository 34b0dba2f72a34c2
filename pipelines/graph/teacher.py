"""The teacher: a pretrained encoder as it is, or a small one that the run trains from scratch."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from optical.model.folder import weights_fingerprint
from optical.model.weights import find_weights
from optical.resources import Resources
from pipelines.graph.bitext import BITEXT, QUESTIONS, texts
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.tokens import ReadBy, tokenised
from pipelines.graph.workspace import Context, Workspace

if TYPE_CHECKING:
    from optical.train.job import TrainJob

ENCODER = "encoder"
_SHAPE = ("vocabulary", "hidden", "layers", "heads", "dim")


def train(session: Context, job: "TrainJob", verb: str, resources: Resources) -> None:
    """Run a training job, which resumes from its last checkpoint; its journal is shown as progress and mirrored."""
    from optical.train.ray import fit

    with session.work(verb), session.follow(job.journal):
        fit(job, resources)


def _scratch(workspace: Workspace) -> dict:
    return workspace.decisive["teacher"]["scratch"]


def _make_start(session: Context, path: Path, identity: str) -> None:
    from optical.model.scratch import scratch_encoder
    from optical.model.vocabulary.tokenizer import learn_wordpiece
    from optical.train.loop import write_encoder

    workspace = session.workspace
    scratch = workspace.scratch
    learned_from = [text for pairs in (BITEXT, QUESTIONS) for text in texts(workspace, pairs, "source", "target")]
    encoder = scratch_encoder(scratch, learn_wordpiece(learned_from, scratch.vocabulary), scratch.train.seed)
    write_encoder(encoder, path, identity)


def _train(session: Context, path: Path, identity: str) -> None:
    from optical.train.job import TrainJob

    workspace = session.workspace
    scratch = workspace.scratch
    job = TrainJob(
        fingerprint=identity,
        tokens=workspace.path(QUESTION_TOKENS).absolute(),
        start=workspace.path(TEACHER_START).absolute(),
        folder=workspace.folder(TEACHER).absolute(),
        train=scratch.train,
        objective=scratch.objective,
    )
    # A question's negatives are the other passages of its rank: more workers would make another teacher.
    train(session, job, "teacher", replace(workspace.settings.resources, num_workers=1, min_workers=0))


TEACHER_START = Node(
    kind="teacher-start",
    version=2,
    format=ENCODER,
    after=(CHECKED_DATA,),
    made_from=lambda workspace: [
        {name: _scratch(workspace)[name] for name in _SHAPE},
        _scratch(workspace)["train"]["seed"],
        BITEXT,
        QUESTIONS,
    ],
    make=_make_start,
)
"""A scratch teacher before training: a vocabulary learned from the pairs, and random weights."""

QUESTION_TOKENS = tokenised(
    "question-tokens",
    3,
    QUESTIONS,
    ReadBy(TEACHER_START, lambda recipe: "query"),
    ReadBy(TEACHER_START, lambda recipe: "document"),
)

PRETRAINED: Node = Node(
    kind="teacher",
    made_from=lambda workspace: [weights_fingerprint(workspace.path(PRETRAINED))],
    folder=lambda workspace: find_weights(
        workspace.recipe.teacher.weights, workspace.recipe.teacher.revision, workspace.settings.cache
    ),
)
"""A pretrained teacher, used where it lies."""

TEACHER = Node(
    kind="teacher",
    version=1,
    format=ENCODER,
    made_from=lambda workspace: [QUESTION_TOKENS, _scratch(workspace)["train"], _scratch(workspace)["temperature"]],
    make=_train,
    needed=lambda recipe: recipe.teacher.scratch is not None,
    otherwise=PRETRAINED,
    inner=ENCODER,
)
"""The teacher's encoder; one that the run trains has checkpoints and journal next to it."""
