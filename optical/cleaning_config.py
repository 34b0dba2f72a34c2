"""What ``prepare`` refuses beyond broken lines."""

from dataclasses import dataclass
from typing import Literal

from optical.errors import UserError


@dataclass(frozen=True, kw_only=True)
class CleaningConfig:
    """Which well-formed sentence pairs to drop; every drop is counted under its reason."""

    drop_identical: bool = True
    """Drop pairs whose two sides have the same letters and digits: untranslated lines."""
    min_script_share: float = 0.5
    """Least share of a side's letters that are in its language's script; 0 turns the check off."""
    check_language: bool = False
    """Drop pairs with a side that CLD2 reliably takes for another language; needs pycld2, takes 20 us a pair."""
    drop_test_leaks: bool = True
    """Drop pairs of which a side occurs in a test collection of the query language (see ``data/cleaning/leaks.py``)."""
    duplicates: Literal["keep", "exact", "near"] = "near"
    """Of equal pairs the first stays: ``exact`` compares the text, ``near`` its letters and digits without case."""

    def __post_init__(self) -> None:
        if not 0 <= self.min_script_share <= 1:
            raise UserError("bitext.cleaning.min_script_share", f"is {self.min_script_share}", "set 0 to 1")
