"""Token shards of sentence pairs, with held-out dev pairs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from optical.data.batches.token_shards import TOKENS as TOKENS_FORMAT
from optical.data.batches.token_shards import write_tokens
from optical.data.bitext.shards import pair_counts, pair_shards
from pipelines.graph.milestones import CHECKED_DATA
from pipelines.graph.node import Node

if TYPE_CHECKING:
    from pipelines.graph.workspace import Workspace
    from pipelines.session import Session

_MANY_UNKNOWN = 0.01
log = logging.getLogger(__name__)


class TokenisedPairs(Node):
    """Token ids of both sides of ``pairs``.

    Args:
        kind: name of the artefact.
        version: version of its maker.
        pairs: the pairs.
        tokenizers: encoders whose tokenizers read the source side and the target side.
        origin: the nodes that decide the content; the others are their ancestors.
    """

    format = TOKENS_FORMAT
    after = (CHECKED_DATA,)

    def __init__(self, kind: str, version: int, pairs: Node, tokenizers: tuple[Node, Node], origin: list[Node]) -> None:
        self.kind, self.version, self.pairs, self.tokenizers, self.origin = kind, version, pairs, tokenizers, origin

    def made_from(self, workspace: Workspace) -> list[object]:
        """Texts, tokenizers, and the number of dev pairs."""
        return [*self.origin, workspace.recipe.bitext.dev_pairs]

    def make(self, session: Session, missing: list) -> None:
        """Tokenise all pairs; many unknown tokens are reported."""
        from optical.data.batches.tokenise import UnknownTokens, tokenised_pairs

        workspace = session.workspace
        pairs, path = workspace.path(self.pairs), workspace.path(self)
        source, target = (workspace.path(node).absolute() for node in self.tokenizers)
        sizes, dev_pairs = pair_counts(pairs), workspace.recipe.bitext.dev_pairs
        with session.work("tokenise"):
            unknown = UnknownTokens(source)
            tokenised = unknown.counted(tokenised_pairs(pair_shards(pairs), source, target))
            write_tokens(path, workspace.fingerprint_of(self), tokenised, sum(sizes), dev_pairs, sizes)
        if unknown.share > _MANY_UNKNOWN:
            what = "of the source tokens are [UNK], words with letters that the vocabulary lacks"
            log.warning("%s: %.1f %% %s; set student.vocabulary, to 8000 say", path, 100 * unknown.share, what)
