"""train: the teacher when it has to be, the student's start, its tokens, and the distillation."""

import logging
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq

from optical.data.batches.token_shards import TOKENS
from optical.data.batches.tokenise import UnknownTokens, tokenised_pairs, write_tokens
from optical.data.bitext.shards import pair_counts, pair_shards
from optical.model.scratch import scratch_encoder
from optical.model.storage import load_encoder
from optical.model.vocabulary.tokenizer import learn_wordpiece
from optical.model.vocabulary.translation import extended_student
from optical.resources import Resources
from optical.tracking.journal import rows
from optical.train.job import TrainJob
from optical.train.loop import write_encoder
from optical.train.ray import fit
from pipelines.checks.faults import check_data
from pipelines.session import Session
from pipelines.teacher_cache import ensure_teacher_cache, savings, tell_of_cache
from pipelines.verbs.prepare import prepare
from pipelines.workspace import Workspace

ENCODER = "encoder"
_MANY_UNKNOWN = 0.01
log = logging.getLogger(__name__)


def train(session: Session) -> dict:
    """Train what is not trained yet; returns the last loss, the best dev measure and the number of steps."""
    make_ready(session)
    tell_of_cache(session.workspace)
    job = student_job(session.workspace, session.workspace.student_training)
    _ensure_trained(session, job, "train", session.workspace.settings.resources)
    return training_facts(job.journal)


def make_ready(session: Session) -> None:
    """Make everything a distillation starts from: bitext, teacher, the student's start, tokens, the teacher's cache."""
    prepare(session)
    workspace = session.workspace
    check_data(workspace)
    ensure_teacher(session)
    _ensure_start(session)
    tokenizers = (workspace.start, workspace.teacher)
    _ensure_tokens(session, workspace.bitext, tokenizers, workspace.tokens, workspace.tokens_fingerprint)
    if workspace.recipe.teacher.cache:
        ensure_teacher_cache(session)


def student_job(workspace: Workspace, folder: Path) -> TrainJob:
    """The distillation of a workspace's student, at work in ``folder``."""
    return TrainJob(
        fingerprint=workspace.student_fingerprint,
        tokens=workspace.tokens.absolute(),
        start=workspace.start.absolute(),
        teacher=workspace.teacher.absolute(),
        teacher_cache=workspace.teacher_cache if workspace.recipe.teacher.cache else None,
        folder=folder.absolute(),
        train=workspace.recipe.train,
        objective=workspace.recipe.objective,
    )


def training_facts(journal: Path) -> dict:
    """Steps, last loss and dev measures of a training journal, and what a teacher cache saved."""
    written = rows(journal)
    steps = [row for row in written if row["event"] == "step"]
    last = [row for row in written if row["event"] == "dev"][-1]
    measures = {name: last[name] for name in ("dev_mrr", "dev_agreement")}
    facts = {"steps": len(steps), "loss": steps[-1]["loss"], **measures}
    return facts | ({"teacher_cache": saved} if (saved := savings(written)) else {})


def ensure_teacher(session: Session) -> None:
    """Train a scratch teacher unless it is there; a pretrained one needs nothing."""
    workspace = session.workspace
    if not workspace.scratch_teacher:
        return
    prepare(session)
    scratch = workspace.recipe.teacher.scratch
    made_from = workspace.teacher_start_fingerprint
    with session.making(workspace.teacher_start, ENCODER, made_from) as needed:
        if needed:
            _make_teacher_start(workspace)
    tokenizers, made_from = (workspace.teacher_start, workspace.teacher_start), workspace.question_tokens_fingerprint
    _ensure_tokens(session, workspace.questions, tokenizers, workspace.question_tokens, made_from)
    job = TrainJob(
        fingerprint=workspace.teacher_fingerprint,
        tokens=workspace.question_tokens.absolute(),
        start=workspace.teacher_start.absolute(),
        folder=workspace.teacher_training.absolute(),
        train=scratch.train,
        objective=scratch.objective,
    )
    # A question's negatives are its rank's other passages: more workers would make another teacher of the same name.
    _ensure_trained(session, job, "teacher", replace(workspace.settings.resources, num_workers=1, min_workers=0))


def _make_teacher_start(workspace: Workspace) -> None:
    scratch = workspace.recipe.teacher.scratch
    texts = _texts(workspace.bitext, "source", "target") + _texts(workspace.questions, "source", "target")
    encoder = scratch_encoder(scratch, learn_wordpiece(texts, scratch.vocabulary), scratch.train.seed)
    write_encoder(encoder, workspace.teacher_start, workspace.teacher_start_fingerprint)


def _ensure_start(session: Session) -> None:
    workspace = session.workspace
    vocabulary = workspace.recipe.student.vocabulary
    if not vocabulary:
        return
    with session.making(workspace.start, ENCODER, workspace.start_fingerprint) as needed:
        if not needed:
            return
        with session.work("vocabulary"):
            sources, targets = _texts(workspace.bitext, "source"), _texts(workspace.bitext, "target")
            student = extended_student(load_encoder(workspace.teacher), sources, targets, vocabulary)
            write_encoder(student, workspace.start, workspace.start_fingerprint)


def _ensure_tokens(session: Session, bitext: Path, tokenizers: tuple[Path, Path], path: Path, made_from: str) -> None:
    with session.making(path, TOKENS, made_from) as needed:
        if not needed:
            return
        sizes = pair_counts(bitext)
        with session.work("tokenise"):
            tokenised = tokenised_pairs(pair_shards(bitext), *(folder.absolute() for folder in tokenizers))
            unknown = UnknownTokens(tokenizers[0])
            dev_pairs = session.workspace.recipe.bitext.dev_pairs
            write_tokens(path, made_from, unknown.counted(tokenised), sum(sizes), dev_pairs, sizes)
        if unknown.share > _MANY_UNKNOWN:
            what = "of the source tokens are [UNK], words with letters that the vocabulary lacks"
            log.warning("%s: %.1f %% %s; set student.vocabulary, to 8000 say", path, 100 * unknown.share, what)


def _ensure_trained(session: Session, job: TrainJob, verb: str, resources: Resources) -> None:
    with session.making(job.result, ENCODER, job.fingerprint) as needed:
        if not needed:
            return
        with session.work(verb), session.follow(job.journal):
            fit(job, resources)


def _texts(bitext: Path, *sides: str) -> list[str]:
    tables = [pq.read_table(shard, columns=list(sides)) for shard in pair_shards(bitext)]
    return [text for table in tables for side in sides for text in table[side].to_pylist()]
