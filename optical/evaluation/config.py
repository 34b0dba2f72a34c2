"""Which test collection is measured, and how."""

from dataclasses import dataclass

from optical.errors import require, require_seed


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig:
    """The test collection: passages, topics in the query language with English translations, qrels."""

    collection: str
    """Registry name of the collection, or a folder with passages, topics and qrels."""
    seed: int = 0
    """Seed of the bootstrap and the randomisation test."""
    resamples: int = 10_000
    """Bootstrap resamples and sign flips."""

    def __post_init__(self) -> None:
        require_seed("evaluation.seed", self.seed)
        require(self.resamples > 0, "evaluation.resamples", f"is {self.resamples}", "set at least 1")
