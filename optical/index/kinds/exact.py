"""Exact search: MaxSim of the query with every passage."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from optical.index.kinds.base import IndexConfig

if TYPE_CHECKING:
    from optical.index.embeddings import Embeddings
    from optical.index.scoring import MaxSim


@dataclass(frozen=True, kw_only=True)
class Config(IndexConfig):
    """MaxSim over every passage; needs nothing but the embeddings."""

    search: Literal["exact"] = "exact"
    """Kind of index: the name of a file in ``optical/index/kinds``."""

    def open(self, passages: Embeddings, folder: Path | None = None, use_gpu: bool = False) -> MaxSim:
        """MaxSim itself, over all passages."""
        from optical.index.scoring import MaxSim

        return MaxSim(passages, "cuda" if use_gpu else "cpu")
