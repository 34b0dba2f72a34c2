"""Filters: every physical pair becomes a SentencePair or a Reject with one named reason."""

import math
import re
import unicodedata
from dataclasses import dataclass
from typing import Self

from optical.config import BitextConfig
from optical.data.openers import TooLong

REASONS = {
    "utf8": "a side is not valid UTF-8",
    "malformed": "the row is not valid JSON",
    "missing": "the row lacks a side",
    "too_long": "a side is longer than the bound in bytes or characters",
    "empty": "a side has no visible character",
    "control": "a side contains NUL or another control character",
    "ratio": "one side is too many times longer than the other",
}
_SHORT = 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class SentencePair:
    """An aligned pair: source in the query language, target in English; ``position`` counts physical pairs from 0."""

    position: int
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Reject:
    """A physical pair that is not used, and why (a key of ``REASONS``)."""

    position: int
    reason: str


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a sentence pair.

    Args:
        max_bytes: longest physical line held in memory.
        max_characters: longest normalised sentence.
        max_length_ratio: longer side over shorter side, in characters; pairs under 20 characters are exempt.
    """

    max_bytes: int = 1 << 16
    max_characters: int = 1000
    max_length_ratio: float = 4.0

    @classmethod
    def of(cls, config: BitextConfig) -> Self:
        """The limits of a recipe; a line may hold both sides, four bytes a character, and as much again beside them."""
        max_bytes = max(1 << 16, 16 * config.max_characters)
        return cls(max_bytes, config.max_characters, config.max_length_ratio)


QUESTION_LIMITS = Limits(max_characters=10_000, max_length_ratio=math.inf)
"""Limits of English question-passage pairs, whose two sides are of different length by nature."""


def normalise(text: str) -> str:
    """Unicode NFC, with every run of white space (U+2028, NEL, tab, NBSP) as one space and none at the ends."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def screen(
    position: int, source: bytes | str | TooLong | None, target: bytes | str | TooLong | None, limits: Limits
) -> SentencePair | Reject:
    """Accept or reject one physical pair.

    Args:
        position: place of the pair in its data set, from 0.
        source: the query-language side as read; ``None`` when the row has none.
        target: the English side as read; ``None`` when the row has none.
        limits: bounds; reasons are tried in a fixed order, so a pair has one reason.
    """
    sides = [_text(source), _text(target)]
    if any(isinstance(side, UnicodeError) for side in sides):
        return Reject(position, "utf8")
    if None in sides:
        return Reject(position, "missing")
    if any(isinstance(side, TooLong) for side in sides):
        return Reject(position, "too_long")
    clean_source, clean_target = normalise(sides[0]), normalise(sides[1])
    if reason := _reason(clean_source, clean_target, limits):
        return Reject(position, reason)
    return SentencePair(position, clean_source, clean_target)


def _text(side: bytes | str | TooLong | None) -> str | TooLong | UnicodeError | None:
    try:
        if isinstance(side, bytes):
            return side.decode("utf-8")
        if isinstance(side, str):
            side.encode("utf-8")  # a JSON escape can smuggle in a lone surrogate
    except UnicodeError as error:
        return error
    return side


def _reason(source: str, target: str, limits: Limits) -> str | None:
    sides = (source, target)
    shorter, longer = sorted(map(len, sides))
    if any(_blank(side) for side in sides):
        return "empty"
    if any(_CONTROL.search(side) for side in sides):
        return "control"
    if longer > limits.max_characters:
        return "too_long"
    if longer >= _SHORT and longer > limits.max_length_ratio * shorter:
        return "ratio"
    return None


def _blank(side: str) -> bool:
    """Whether only white space and invisible format characters (BOM, zero-width space) are left."""
    return all(unicodedata.category(character) in ("Zs", "Cf") for character in side)
