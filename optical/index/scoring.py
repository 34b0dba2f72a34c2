"""MaxSim of queries with embedded passages of different lengths."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer
from torch import Tensor

from optical.index.embeddings import Embeddings
from optical.model.precision import precision


@dataclass(frozen=True, eq=False)
class MaxSim:
    """Scores passages; a searcher over all of them.

    Args:
        passages: embedded by the teacher.
        device: where products are computed, in float32: ``"cpu"`` or ``"cuda"``.
        tokens_at_once: passage tokens in one product, about.
    """

    passages: Embeddings
    device: str = "cpu"
    tokens_at_once: int = 16_384

    def scores(
        self,
        queries: Sequence[Float32[np.ndarray, "_ dim"]],
        chosen: Integer[np.ndarray, " chosen"] | None = None,
    ) -> Float32[np.ndarray, "queries chosen"]:
        """MaxSim of each query with each chosen passage.

        Args:
            queries: unit token embeddings of each query.
            chosen: numbers of passages; all by default.
        """
        if chosen is None:
            chosen = np.arange(len(self.passages.docids))
        stacked = torch.from_numpy(np.concatenate(queries)).to(self.device)
        owner = torch.repeat_interleave(torch.arange(len(queries)), torch.tensor([len(query) for query in queries]))
        scores = torch.zeros(len(queries), len(chosen))
        for part in _chunks(self.passages.lengths[chosen], self.tokens_at_once):
            best = self._best(stacked, chosen[part])
            summed = torch.zeros(len(queries), len(best), device=self.device)
            scores[:, part] = summed.index_add_(0, owner.to(self.device), best.T).cpu()
        return scores.numpy()

    def _best(
        self, query_tokens: Float[Tensor, "query_tokens dim"], chosen: Integer[np.ndarray, " chosen"]
    ) -> Float[Tensor, "chosen query_tokens"]:
        """The highest similarity of each query token with a token of each chosen passage."""
        offsets, lengths = self.passages.offsets, self.passages.lengths[chosen].astype(np.int64)
        rows = np.concatenate([np.arange(offsets[passage], offsets[passage + 1]) for passage in chosen])
        tokens = torch.from_numpy(self.passages.tokens[rows].astype(np.float32)).to(self.device)
        with precision(self.device, half=False):
            similarity = tokens @ query_tokens.T
        return torch.segment_reduce(similarity, "max", lengths=torch.from_numpy(lengths).to(self.device), axis=0)


def _chunks(lengths: Integer[np.ndarray, " passages"], tokens_at_once: int) -> list[slice]:
    """Slices of consecutive passages with at most about ``tokens_at_once`` tokens each."""
    if len(lengths) == 0:
        return []
    part = np.cumsum(lengths) // tokens_at_once
    starts = np.flatnonzero(np.diff(part, prepend=-1))
    return [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(lengths)], strict=True)]
