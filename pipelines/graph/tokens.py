"""Token shards of sentence pairs, with held-out dev pairs."""

import logging
from pathlib import Path

from optical.data.batches.token_shards import TOKENS
from optical.data.bitext.shards import pair_counts, pair_shards
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node
from pipelines.graph.workspace import Context

_MANY_UNKNOWN = 0.01
log = logging.getLogger(__name__)


def tokenised(kind: str, version: int, pairs: Node, tokenizers: tuple[Node, Node], origin: tuple[Node, ...]) -> Node:
    """The node of the token ids of ``pairs``, which reports many unknown tokens.

    Args:
        kind: its name.
        version: version of its maker.
        pairs: clean shards.
        tokenizers: encoders whose tokenizers read the source side and the target side.
        origin: the nodes that decide the content; other nodes it reads are their ancestors.
    """

    def make(session: Context, path: Path, identity: str) -> None:
        from optical.data.batches.tokenise import UnknownTokens, tokenised_pairs, write_tokens

        workspace = session.workspace
        folder, (source, target) = workspace.path(pairs), (workspace.path(node).absolute() for node in tokenizers)
        sizes, dev_pairs = pair_counts(folder), workspace.recipe.bitext.dev_pairs
        with session.work("tokenise"):
            unknown = UnknownTokens(source)
            counted = unknown.counted(tokenised_pairs(pair_shards(folder), source, target))
            write_tokens(path, identity, counted, sum(sizes), dev_pairs, sizes)
        if unknown.share > _MANY_UNKNOWN:
            what = "of the source tokens are [UNK], words with letters that the vocabulary lacks"
            log.warning("%s: %.1f %% %s; set student.vocabulary, to 8000 say", path, 100 * unknown.share, what)

    return Node(
        kind=kind,
        version=version,
        format=TOKENS,
        after=(CHECKED_DATA,),
        made_from=lambda workspace: [*origin, workspace.recipe.bitext.dev_pairs],
        make=make,
    )
