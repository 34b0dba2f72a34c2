"""What every index kind provides: a configuration that builds and opens its searcher.

A new kind is one file in this package: a class ``Config(IndexConfig)`` with ``open``, and, if it searches more than the
embeddings, with ``builds``, ``made_from``, ``check`` and ``build``. The file's name is the kind's name. Modules of this
package are imported when a recipe is parsed: they import heavy libraries (torch, faiss) inside functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from optical.errors import require

if TYPE_CHECKING:
    import numpy as np

    from optical.index.embeddings import Embeddings


@runtime_checkable
class Searcher(Protocol):
    """An opened index."""

    @property
    def passages(self) -> Embeddings:
        """The passages that are searched."""
        ...

    def scores(self, queries: Sequence[np.ndarray]) -> np.ndarray:
        """Scores of shape (queries, passages), float32; -inf for a passage that is not found.

        Args:
            queries: unit token embeddings of each query, (query tokens, dim) float32.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """The teacher's index over the English collection."""

    version: ClassVar[int] = 1
    """Raise it when the same settings give other results: what an older version made is then made anew."""
    builds: ClassVar[bool] = False
    """Whether the kind searches more than the embeddings: files that ``build`` writes and ``open`` reads."""

    search: str
    """Kind of index: the name of a file in ``optical/index/kinds``."""
    depth: int = 1000
    """Documents kept per query."""

    def __post_init__(self) -> None:
        require(self.depth > 0, "index.depth", f"is {self.depth}", "set a positive number")

    def made_from(self) -> list[str | int | float]:
        """What ``build`` depends on besides the embeddings: the kind, and the fields that decide what it writes.

        All fields of the kind by default: a kind whose ``build`` reads fewer names these, so that others share it.
        """
        common = {item.name for item in fields(IndexConfig)}
        return [self.search, *(getattr(self, item.name) for item in fields(self) if item.name not in common)]

    def check(self, dim: int, tokens: int | None = None) -> None:
        """Refuse settings that cannot be built, before anything is embedded.

        Args:
            dim: dimension of the token embeddings.
            tokens: fewest tokens that the collection can have; None if that is not known yet.

        Raises:
            UserError: the index cannot be built.
        """

    def build(self, passages: Embeddings, folder: Path) -> None:
        """Write what ``open`` needs besides the embeddings into an existing folder.

        Raises:
            UserError: the index cannot be built.
        """
        raise NotImplementedError

    def open(self, passages: Embeddings, folder: Path | None = None, use_gpu: bool = False) -> Searcher:
        """The index, ready to search.

        Args:
            passages: the teacher's embeddings.
            folder: where ``build`` wrote; None for a kind that builds nothing.
            use_gpu: search on the GPU; scores equal those of the CPU within rounding.
        """
        raise NotImplementedError
