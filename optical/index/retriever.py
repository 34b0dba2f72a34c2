"""From query texts to a run: encode the queries, score the passages, keep the best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from optical.evaluation.runs import Run, ScoredDoc
from optical.index.embeddings import Embeddings
from optical.index.kinds.base import IndexConfig, Searcher
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder

_QUERIES_PER_FORWARD = {"cpu": 1, "cuda": 32}
"""On a CPU each query is encoded alone: its embeddings are then the same to the bit whatever the other queries are."""


@dataclass(frozen=True, eq=False)
class Retriever:
    """Ranks passages for query texts.

    Args:
        encoder: of the queries.
        query_length: longest query in tokens.
        index: opened over the teacher's embeddings.
        depth: documents kept per query.
        queries_at_once: queries that are scored together.
    """

    encoder: Encoder
    query_length: int
    index: Searcher
    depth: int
    queries_at_once: int = 32

    @classmethod
    def open(
        cls,
        encoder: Path,
        query_length: int,
        passages: Embeddings,
        config: IndexConfig,
        folder: Path | None = None,
        use_gpu: bool = False,
        pooled: bool = False,
    ) -> "Retriever":
        """A retriever from the folder of an encoder and a kind of index.

        Args:
            encoder: folder of the encoder of the queries.
            query_length: longest query in tokens.
            passages: embedded by the teacher, or by the encoder itself.
            config: kind of index.
            folder: where the index was built, if it was.
            use_gpu: encode and search on the GPU of this machine, if it has one.
            pooled: one vector for each query; MaxSim is then the cosine with the one vector of a passage.

        Raises:
            DataError: the encoder does not load.
        """
        use_gpu = use_gpu and torch.cuda.is_available()
        loaded = load_encoder(encoder, pooled).eval().to("cuda" if use_gpu else "cpu")
        return cls(loaded, query_length, config.open(passages, folder, use_gpu), config.depth)

    def run(
        self, qids: Sequence[str], texts: Sequence[str], advance: Callable[[int], None] = lambda count: None
    ) -> Run:
        """The best passages of every query, at most ``depth`` each; none for a query without a token that scores.

        Args:
            qids: one id per query.
            texts: one text per query.
            advance: receives the number of queries done, for progress.
        """
        scored: list[ScoredDoc] = []
        docids = self.index.passages.docids
        per_forward = _QUERIES_PER_FORWARD[self.encoder.device.type]
        for start in range(0, len(texts), self.queries_at_once):
            some = slice(start, start + self.queries_at_once)
            queries = encode_texts(self.encoder, texts[some], "query", self.query_length, per_forward)
            scores = self.index.scores([query.numpy() for query in queries])
            for qid, query, row in zip(qids[some], queries, scores, strict=True):
                if not len(query):
                    continue  # Every passage would score 0: nothing is found, rather than the first of them.
                best = np.argsort(-row, kind="stable")[: self.depth]
                scored += [ScoredDoc(qid, docids[i], float(row[i])) for i in best if np.isfinite(row[i])]
            advance(len(queries))
        return Run(scored)
