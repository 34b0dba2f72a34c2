"""The teacher: a pretrained encoder as it is, or one that the run trains, from scratch or from pretrained weights."""

from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from optical.model.folder import weights_fingerprint
from optical.model.weights import find_weights
from optical.recipe import Recipe
from optical.resources import Resources
from optical.tracking.progress import LineWriter
from pipelines.graph.bitext import BITEXT, QUESTIONS, texts
from pipelines.graph.collection import COLLECTION
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.tokens import ReadBy, tokenised
from pipelines.graph.workspace import Context, Workspace

if TYPE_CHECKING:
    from optical.train.job import TrainJob

ENCODER = "encoder"
_ADAPTED = ("query_prefix", "document_prefix", "query_tokens", "centre", "centre_directions")
_SHAPE = ("vocabulary", "hidden", "layers", "heads", "dim")


def train(session: Context, job: "TrainJob", verb: str, resources: Resources) -> None:
    """Run a training job, which resumes from its last checkpoint; its journal is shown as progress and mirrored."""
    from optical.train.ray import fit

    with session.work(verb), session.follow(job.journal):
        fit(job, resources)


def _settings(workspace: Workspace) -> dict:
    """The decisive fields of the teacher's training, and of its shape if it starts from random weights."""
    teacher = workspace.decisive["teacher"]
    return teacher["scratch"] or teacher["training"]


def _make_start(session: Context, path: Path, identity: str) -> None:
    from optical.model.scratch import projected, scratch_encoder
    from optical.model.storage import load_encoder
    from optical.model.vocabulary.tokenizer import learn_wordpiece
    from optical.train.loop import write_encoder

    workspace = session.workspace
    scratch, training = workspace.recipe.teacher.scratch, workspace.recipe.teacher.training
    if scratch:
        learned_from = [text for pairs in (BITEXT, QUESTIONS) for text in texts(workspace, pairs, "source", "target")]
        encoder = scratch_encoder(scratch, learn_wordpiece(learned_from, scratch.vocabulary), scratch.train.seed)
    elif training:
        encoder = projected(load_encoder(workspace.path(PRETRAINED)), training.dim, training.train.seed)
    write_encoder(encoder, path, identity)


def _start_from(workspace: Workspace) -> list[object]:
    settings = _settings(workspace)
    seed = settings["train"]["seed"]
    if workspace.recipe.teacher.scratch:
        return [{name: settings[name] for name in _SHAPE}, seed, BITEXT, QUESTIONS]
    return [settings["dim"], seed, PRETRAINED]


def _starts_anew(recipe: Recipe) -> bool:
    """Whether training starts from an encoder that the run makes: random weights, or a new projection."""
    return recipe.teacher.scratch is not None or bool(recipe.teacher.training and recipe.teacher.training.dim)


def _mine(session: Context, path: Path, identity: str) -> None:
    from optical.data.batches.negatives import write_negatives

    questions, passages = (texts(session.workspace, QUESTIONS, side) for side in ("source", "target"))
    with session.work("mine"):
        write_negatives(path, identity, questions, passages)


def _train(session: Context, path: Path, identity: str) -> None:
    from optical.train.job import TrainJob

    workspace = session.workspace
    training = workspace.teacher_training
    job = TrainJob(
        fingerprint=identity,
        tokens=workspace.path(QUESTION_TOKENS).absolute(),
        start=workspace.path(TEACHER_START).absolute(),
        folder=workspace.folder(TRAINED).absolute(),
        train=training.train,
        objective=training.objective,
    )
    train(session, job, "teacher", workspace.settings.resources)


def _adapt(session: Context, path: Path, identity: str) -> None:
    from optical.model.centring import centre_on
    from optical.model.storage import load_encoder
    from optical.train.loop import write_encoder

    workspace = session.workspace
    config = workspace.recipe.teacher
    encoder = load_encoder(workspace.path(TRAINED)).eval()
    encoder.reader = encoder.reader.adapted(config.query_prefix, config.document_prefix, config.query_tokens)
    facts: dict = {}
    if config.centre != "off":
        with session.work("centre"):
            passages = pq.read_table(workspace.path(COLLECTION) / "passages.parquet")["text"].to_pylist()
            sources, targets = (texts(workspace, BITEXT, side) for side in ("source", "target"))
            pairs = list(zip(sources, targets, strict=True))
            only_if_better = config.centre == "dev"
            encoder, facts = centre_on(encoder, passages, pairs, config.centre_directions, only_if_better)
        LineWriter().show(f"centring  {facts['centring']}", final=True)
    write_encoder(encoder, path, identity, facts)


PRETRAINED: Node = Node(
    kind="teacher",
    made_from=lambda workspace: [weights_fingerprint(workspace.path(PRETRAINED))],
    folder=lambda workspace: find_weights(
        workspace.recipe.teacher.weights, workspace.recipe.teacher.revision, workspace.settings.cache
    ),
)
"""Pretrained weights, used where they lie: the teacher, or what its training starts from."""

TEACHER_START = Node(
    kind="teacher-start",
    version=2,
    format=ENCODER,
    after=(CHECKED_DATA,),
    made_from=_start_from,
    make=_make_start,
    needed=_starts_anew,
    otherwise=PRETRAINED,
)
"""A teacher before training: a vocabulary learned from the pairs and random weights, or a new projection."""

NEGATIVES = Node(
    kind="negatives",
    version=1,
    after=(CHECKED_DATA,),
    made_from=lambda workspace: [QUESTIONS],
    make=_mine,
    needed=lambda recipe: recipe.teacher.trained is not None and recipe.teacher.trained.negatives > 0,
)
"""The mined negative of every question-passage pair."""

QUESTION_TOKENS = tokenised(
    "question-tokens",
    3,
    QUESTIONS,
    ReadBy(TEACHER_START, lambda recipe: "query"),
    ReadBy(TEACHER_START, lambda recipe: "document"),
    NEGATIVES,
)

TRAINED = Node(
    kind="teacher",
    version=2,
    format=ENCODER,
    made_from=lambda workspace: [
        *(QUESTION_TOKENS, TEACHER_START),
        *(_settings(workspace)["train"], _settings(workspace)["temperature"]),
    ],
    make=_train,
    needed=lambda recipe: recipe.teacher.trained is not None,
    otherwise=PRETRAINED,
    inner=ENCODER,
)
"""A teacher that the run trains, with checkpoints and journal next to it, or the pretrained weights."""

TEACHER = Node(
    kind="teacher-adapted",
    version=1,
    format=ENCODER,
    after=(CHECKED_DATA,),
    made_from=lambda workspace: [
        *(TRAINED, {name: workspace.decisive["teacher"].get(name) for name in _ADAPTED}),
        *([COLLECTION, BITEXT] if workspace.recipe.teacher.centre != "off" else []),
    ],
    make=_adapt,
    needed=lambda recipe: recipe.teacher.is_adapted,
    otherwise=TRAINED,
)
"""The teacher: with the prefixes that the recipe gives, and centred, if it asks for that."""
