"""Which sentence pairs to learn from."""

from dataclasses import dataclass, field
from typing import Literal

from optical.errors import UserError, require


@dataclass(frozen=True, kw_only=True)
class CleaningConfig:
    """Which well-formed sentence pairs to drop; every drop is counted under its reason."""

    drop_identical: bool = True
    """Drop pairs whose two sides have the same letters and digits: untranslated lines."""
    min_script_share: float = 0.5
    """Least share of a side's letters that are in its language's script; 0 turns the check off."""
    check_language: bool = False
    """Drop pairs with a side that CLD2 reliably takes for another language; needs pycld2, takes 20 us a pair."""
    check_sides: bool = True
    """Stop when the two sides look swapped, or a side looks like another language (see ``data/bitext/sides.py``)."""
    drop_test_leaks: bool = True
    """Drop pairs with a side in a test collection of the query language (see ``data/cleaning/leaks.py``)."""
    duplicates: Literal["keep", "exact", "near", "minhash"] = "near"
    """The first of equal pairs stays: ``exact`` compares the text, ``near`` its letters and digits without case,
    ``minhash`` also takes most pairs that share nine tenths of their shingles (see ``data/cleaning/minhash.py``)."""
    exempt_collections: tuple[str, ...] = ()
    """Registered test collections that ``drop_test_leaks`` leaves out, so that pairs may occur in them; never the one
    that the run is tested on."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_script_share <= 1:
            raise UserError("bitext.cleaning.min_script_share", f"is {self.min_script_share}", "set 0 to 1")


@dataclass(frozen=True, kw_only=True)
class BitextConfig:
    """Which sentence pairs to learn from, and which to refuse."""

    datasets: tuple[str, ...]
    """Registry names, or paths: ``pairs.tsv``, ``pairs.jsonl.gz``, ``corpus.tmx``, or Moses ``a.swa+a.eng``;
    a path may end in its query language, ``pairs.tsv@som``."""
    source: str = "swa"
    """The query language: a code (``swa``, ``sw``), one with its script (``srp_Latn``), or an English name; ``*`` for
    several: each data set's own."""
    target: str = "eng"
    """The collection's language."""
    max_pairs: int | None = None
    """Keep only the first so many accepted pairs of each data set; ``None`` keeps all."""
    dev_pairs: int = 256
    """Accepted pairs held out for the dev measures: evenly spaced, and one of each data set that would have none.
    No step trains on them; vocabularies are learned from them too."""
    max_characters: int = 1000
    """Longest sentence kept, in characters."""
    max_length_ratio: float = 4.0
    """Largest ratio of the two sides' lengths; an East Asian character counts two (pairs under 20 are exempt)."""
    max_reject_share: float = 0.05
    """Share of a data set's pairs that may be faulty before ``prepare`` stops (``screen.NOT_FAULTS`` do not count)."""
    cleaning: CleaningConfig = field(default_factory=CleaningConfig)
    """Which well-formed pairs to drop."""

    def __post_init__(self) -> None:
        require(len(self.datasets) > 0, "bitext.datasets", "names no data set", "give at least one")
        twice = next((name for name in self.datasets if self.datasets.count(name) > 1), "")
        require(not twice, "bitext.datasets", f"names {twice} twice", "name each data set once")
        require(
            self.max_pairs is None or self.max_pairs > 0, "bitext.max_pairs", f"is {self.max_pairs}", "set 1 or more"
        )
        require(self.dev_pairs >= 3, "bitext.dev_pairs", f"is {self.dev_pairs}", "set at least 3")
        require(self.max_characters > 0, "bitext.max_characters", f"is {self.max_characters}", "set a positive number")
        require(self.max_length_ratio >= 1, "bitext.max_length_ratio", f"is {self.max_length_ratio}", "set 1 or more")
        require(0 <= self.max_reject_share <= 1, "bitext.max_reject_share", f"is {self.max_reject_share}", "set 0 to 1")
