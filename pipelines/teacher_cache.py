"""The teacher cache of a run: made when it is missing, and what it saves."""

import os
from collections.abc import Iterator, Sequence

from optical.data.batches.teacher_cache import KIND, Encoded
from optical.data.batches.token_shards import open_tokens
from optical.model.folder import read_shape
from optical.tracking.progress import LineWriter, Progress
from optical.train.encode_targets import encoded_targets
from pipelines.session import Session
from pipelines.workspace import Workspace


def ensure_teacher_cache(session: Session) -> None:
    """Encode the target side of every training pair unless that is done; continues at the first missing shard.

    Raises:
        InfrastructureError: the disk has no room for it.
    """
    workspace = session.workspace
    cache, tokens = workspace.teacher_cache, open_tokens(workspace.tokens)
    # The shards are artefacts, and their folder is none: it is always looked into.
    with session.making(cache.folder, KIND, cache.fingerprint) as needed:
        if not needed:
            return
        missing = cache.missing(tokens)
        if missing:
            _make(session, missing)


def tell_of_cache(workspace: Workspace) -> None:
    """Say whether training reads a teacher cache, and what that saves; or that there is one it could read."""
    cache = workspace.teacher_cache
    if workspace.recipe.teacher.cache:
        facts = cache.open(open_tokens(workspace.tokens)).facts
        saved = f"saves about {facts['encoder_seconds']:,.0f} s of encoding an epoch, {facts['megabytes']:,.1f} MB"
        LineWriter().show(f"teacher cache  {saved}  {cache.folder}", final=True)
    elif cache.folder.is_dir():
        LineWriter().show(f"teacher cache  not read, --teacher.cache would  {cache.folder}", final=True)


def savings(journal: Sequence[dict]) -> dict:
    """What the cache saved a training, from its journal: megabytes, seconds of a step, and their share of the step.

    The seconds are those the teacher took for as many pairs when the cache was made. Empty without a cache.
    """
    facts = [row for row in journal if row["event"] == "start"][-1].get("teacher_cache")
    steps = [row for row in journal if row["event"] == "step"]
    if not (facts and steps):
        return {}
    saved = facts["encoder_seconds"] / facts["pairs"] * sum(row["pairs"] for row in steps) / len(steps)
    step = sum(row["seconds"] for row in steps) / len(steps)
    share = round(saved / (saved + step), 3)
    return {"megabytes": facts["megabytes"], "seconds_saved_per_step": round(saved, 4), "share_of_step": share}


def _make(session: Session, shards: list[int]) -> None:
    workspace = session.workspace
    cache, tokens = workspace.teacher_cache, open_tokens(workspace.tokens)
    dim = read_shape(workspace.teacher).dim
    cache.check_space(tokens, shards, dim)
    total = sum(len(lengths) for number, lengths in enumerate(cache.lengths(tokens)) if number in shards)
    resources, cores = workspace.settings.resources, os.cpu_count() or 1
    with session.work("cache"), Progress("cache", total, "pairs") as progress:
        teacher = workspace.teacher.absolute()
        encoded = encoded_targets(tokens, shards, teacher, cache.target_length, resources, cores)
        cache.write(tokens, shards, dim, _counted(encoded, progress))


def _counted(encoded: Iterator[Encoded], progress: Progress) -> Iterator[Encoded]:
    for part in encoded:
        progress.advance(part["pairs"])
        yield part
