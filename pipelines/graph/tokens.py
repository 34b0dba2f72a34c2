"""Token shards of sentence pairs, with held-out dev pairs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from optical.data.batches.negatives import read_negatives
from optical.data.batches.token_shards import TOKENS
from optical.data.bitext.shards import pair_counts, pair_shards
from optical.model.text.roles import Role
from optical.recipe import Recipe
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.workspace import Context

_MANY_UNKNOWN = 0.01
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReadBy:
    """The node of the encoder that reads one side of the pairs, and in which role."""

    encoder: Node
    role: Callable[[Recipe], Role]


def tokenised(
    kind: str, version: int, pairs: Node, source: ReadBy, target: ReadBy, negatives: Node | None = None
) -> Node:
    """The node of the token ids of ``pairs``, which reports many unknown tokens.

    Args:
        kind: its name.
        version: version of its maker.
        pairs: clean shards.
        source: who reads the source side.
        target: who reads the target side.
        negatives: mined for the pairs, in runs that have such an artefact.
    """

    def make(session: Context, path: Path, identity: str) -> None:
        from optical.data.batches.tokenise import (
            Side,
            UnknownTokens,
            frames_of,
            tokenised_pairs,
            with_negatives,
            write_tokens,
        )

        workspace = session.workspace
        folder = workspace.path(pairs)
        student, teacher = (
            Side(workspace.path(by.encoder).absolute(), by.role(workspace.recipe)) for by in (source, target)
        )
        sizes, dev_pairs = pair_counts(folder), workspace.recipe.bitext.dev_pairs
        mined = negatives is not None and workspace.has(negatives)
        with session.work("tokenise"):
            unknown = UnknownTokens(student.reader())
            tables = unknown.counted(tokenised_pairs(pair_shards(folder), student, teacher))
            if negatives and mined:
                tables = with_negatives(tables, read_negatives(workspace.path(negatives)))
            frames = frames_of(student, teacher)
            write_tokens(path, identity, tables, frames, sum(sizes), dev_pairs, sizes, negatives=mined)
        if unknown.share > _MANY_UNKNOWN:
            what = "of the source tokens are unknown, words with letters that the vocabulary lacks"
            log.warning("%s: %.1f %% %s; set student.vocabulary, to 8000 say", path, 100 * unknown.share, what)

    return Node(
        kind=kind,
        version=version,
        format=TOKENS,
        after=(CHECKED_DATA,),
        made_from=lambda workspace: [
            *(pairs, source.encoder, target.encoder),
            *([negatives] if negatives else []),
            *(source.role(workspace.recipe), target.role(workspace.recipe), workspace.recipe.bitext.dev_pairs),
        ],
        make=make,
    )
