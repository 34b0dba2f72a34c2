"""How the English collection is indexed and searched."""

from dataclasses import dataclass
from typing import Literal

from optical.errors import require


@dataclass(frozen=True, kw_only=True)
class IndexConfig:
    """The teacher's index over the English collection."""

    factory: str = "IVF256,SQ8"
    """faiss factory string of the token index that proposes candidates; of no effect on exact search."""
    num_probes: int = 16
    """Clusters visited per query token, of candidates."""
    tokens_per_probe: int = 128
    """Nearest tokens fetched per query token, of candidates."""
    search: Literal["exact", "faiss"] = "exact"
    """``exact``: MaxSim over every passage; ``faiss``: MaxSim over the candidates only, which an index must propose."""
    depth: int = 1000
    """Documents kept per query."""

    def __post_init__(self) -> None:
        for name in ("num_probes", "tokens_per_probe", "depth"):
            require(getattr(self, name) > 0, f"index.{name}", f"is {getattr(self, name)}", "set a positive number")
