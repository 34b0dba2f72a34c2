"""The screen: every physical pair is repaired, and becomes a ``SentencePair``, or a ``Reject`` with one named reason.

Repairs undo what web pages and tokenizers left in a text. They touch only what no sentence means: ``a < b``,
``<name>``, ``AT&T`` and ``@`` stay, and so do the invisible marks of direction and of word ends that Persian, Khmer and
Indic scripts write.
"""

import html
import math
import re
import unicodedata
from dataclasses import dataclass, field
from html.entities import html5
from typing import ClassVar, Self

from optical.data.bitext.config import BitextConfig
from optical.data.files.open import TooLong

REASONS = {
    "utf8": "a side is not valid UTF-8",
    "malformed": "the row is not valid JSON, or the unit not valid XML",
    "missing": "the row lacks a side, or has for one what programs write for nothing, such as NaN",
    "too_long": "a side is longer than the bound in bytes or characters",
    "empty": "a side has no visible character",
    "control": "a side contains NUL or another control character",
    "damaged": "a side has lost characters (U+FFFD), or is UTF-8 that was encoded again",
    "ratio": "one side is too many times longer than the other",
    "identical": "both sides have the same letters and digits",
    "script": "most letters of a side are not of its language's script",
    "language": "a side is in another language",
    "contaminated": "a side occurs in a test collection of the query language",
    "duplicate": "an earlier pair has the same sides",
    "near_duplicate": "an earlier pair has the same letters and digits, or (minhash) nearly the same",
}
"""Reasons of rejection, in the order of their tests: a pair has one reason."""

NOT_FAULTS = frozenset({"identical", "contaminated", "duplicate", "near_duplicate"})
"""Reasons that are no faults of the data; no share of them stops ``prepare``."""

REPAIRS = {
    "escapes": "accepted after HTML or Moses escapes were undone (&quot; &#39; &amp;amp;)",
    "joints": "accepted after Moses' cut words were joined (well @-@ known)",
    "markup": "accepted after HTML tags were taken out (<br> <i>)",
}
"""What may be repaired in a pair; the pair is accepted."""

_SHORT = 20
_EXCERPT = 80
_WIDE = re.compile("[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\uff01-\uff60\U00020000-\U0003fffd]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DAMAGE = re.compile(
    "\ufffd|[\u00c2\u00c3\u00d0\u00d1\u00d8\u00d9][\u00a1-\u00aa\u00ac-\u00ba\u00bc-\u00bf]"
    "|[\u00e0-\u00ef][\u00a0-\u00bf]{2}|\u00e2\u20ac"
)
_NOTHING = frozenset({"nan", "NaN", "#NAME?", "#N/A", "\\N", "NULL"})
_SIGNS = re.compile("[&<@]")
_ESCAPE = re.compile(
    r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|& ?(#[0-9]{2,5}|amp|apos|gt|lt|nbsp|quot) ?;"
)
_MOSES = {"bar": "|", "bra": "[", "ket": "]"}
_TIMES_ESCAPED = 3
_JOINT = re.compile(r"(?<=\S) @(-)@ (?=\S)|(?<=\d) @([.,])@ (?=\d)")
_WITHIN_WORDS = re.compile(
    r"</?(?:a|abbr|b|big|cite|code|del|em|font|i|ins|mark|s|small|span|strike|strong|sub|sup|tt|u)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BETWEEN_WORDS = re.compile(
    r"</?(?:blockquote|br|center|dd|div|dl|dt|h[1-6]|hr|img|li|ol|p|pre|table|tbody|td|th|tr|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SentencePair:
    """An aligned pair: source in the query language, target in English; ``position`` counts physical pairs from 0.

    ``repairs`` are the keys of ``REPAIRS`` for what was repaired in its sides, joined by ``+``.
    """

    reason: ClassVar[None] = None

    position: int
    source: str
    target: str
    repairs: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Reject:
    """A physical pair that is not used, why (a key of ``REASONS``), and the beginnings of its sides where known."""

    repairs: ClassVar[None] = None

    position: int
    reason: str
    source: str | None = field(default=None, compare=False)
    target: str | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on a sentence pair.

    Args:
        max_bytes: longest physical line held in memory.
        max_characters: longest normalised sentence.
        max_length_ratio: longer side over shorter side, in columns (two for an East Asian wide character); pairs under
            20 columns are exempt.
    """

    max_bytes: int = 1 << 16
    max_characters: int = 1000
    max_length_ratio: float = 4.0

    @classmethod
    def of(cls, config: BitextConfig) -> Self:
        """The limits of a recipe; a line may hold both sides, four bytes a character, and as much of other fields."""
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
    try:
        source_text, target_text = _text(source), _text(target)
    except UnicodeError:
        return _reject(position, "utf8", source, target)
    if source_text is None or target_text is None or source_text in _NOTHING or target_text in _NOTHING:
        return _reject(position, "missing", source_text, target_text)
    if isinstance(source_text, TooLong) or isinstance(target_text, TooLong):
        return _reject(position, "too_long", source_text, target_text)
    repairs = None
    if _SIGNS.search(source_text) or _SIGNS.search(target_text):
        source_text, target_text, repairs = _repaired_sides(source_text, target_text)
    reason = None
    if not (_settled(source_text) and _settled(target_text)):
        source_text, target_text = normalise(source_text), normalise(target_text)
        reason = _broken(source_text, target_text)
    if reason := reason or _damaged(source_text, target_text) or _disproportionate(source_text, target_text, limits):
        return _reject(position, reason, source_text, target_text)
    return SentencePair(position, source_text, target_text, repairs)


def repaired(text: str) -> tuple[str, list[str]]:
    """The text without escapes, joints and markup, and which of them it had (keys of ``REPAIRS``).

    >>> repaired("Don&apos;t &amp;amp; won&#39;t<br>well @-@ known")
    ("Don't & won't well-known", ['escapes', 'joints', 'markup'])
    """
    found = []
    for kind, sign, undo in (("escapes", "&", _unescaped), ("joints", "@", _joined), ("markup", "<", _bare)):
        if sign in text and (undone := undo(text)) != text:
            text = undone
            found.append(kind)
    return text, found


def excerpt(side: bytes | str | TooLong | None) -> str | None:
    """The beginning of a side in one printable line of at most 80 characters; None when there is no side."""
    if side is None:
        return None
    if isinstance(side, TooLong):
        return f"({side.bytes:,} bytes)"
    head = side[: 4 * _EXCERPT]
    if isinstance(head, bytes):
        head = head.decode("utf-8", "replace")
    line = "".join(character if character.isprintable() else "\ufffd" for character in " ".join(head.split()))
    whole = len(line) <= _EXCERPT and len(side) <= 4 * _EXCERPT
    return line if whole else line[: _EXCERPT - 1] + "\u2026"


def _reject(
    position: int, reason: str, source: bytes | str | TooLong | None, target: bytes | str | TooLong | None
) -> Reject:
    return Reject(position, reason, excerpt(source), excerpt(target))


def _text(side: bytes | str | TooLong | None) -> str | TooLong | None:
    if isinstance(side, bytes):
        return side.decode("utf-8")
    if isinstance(side, str):
        side.encode("utf-8")  # a JSON escape can smuggle in a lone surrogate
    return side


def _repaired_sides(source: str, target: str) -> tuple[str, str, str | None]:
    """Both sides repaired, and what was repaired in them (``SentencePair.repairs``)."""
    (source, in_source), (target, in_target) = repaired(source), repaired(target)
    return source, target, "+".join(kind for kind in REPAIRS if kind in (*in_source, *in_target)) or None


def _settled(text: str) -> bool:
    """Whether a text is certain to be normalised, visible and free of control characters.

    Most texts are, and these calls are fast: apart from the space, a printable character is neither white space nor
    control nor format.
    """
    return (
        text.isprintable()
        and "  " not in text
        and text[:1] not in ("", " ")
        and text[-1] != " "
        and (text.isascii() or unicodedata.is_normalized("NFC", text))
    )


def _broken(source: str, target: str) -> str | None:
    if _blank(source) or _blank(target):
        return "empty"
    if _CONTROL.search(source) or _CONTROL.search(target):
        return "control"
    return None


def _damaged(source: str, target: str) -> str | None:
    found = any(not side.isascii() and _DAMAGE.search(side) for side in (source, target))
    return "damaged" if found else None


def _disproportionate(source: str, target: str, limits: Limits) -> str | None:
    if len(source) > limits.max_characters or len(target) > limits.max_characters:
        return "too_long"
    one, other = _columns(source), _columns(target)
    shorter, longer = (one, other) if one < other else (other, one)
    if longer >= _SHORT and longer > limits.max_length_ratio * shorter:
        return "ratio"
    return None


def _columns(side: str) -> int:
    """Length in columns: a Chinese, Japanese or Korean character counts two."""
    return len(side) if side.isascii() else len(side) + len(_WIDE.findall(side))


def _blank(side: str) -> bool:
    """Whether only white space and invisible format characters (BOM, zero-width space) are left."""
    if side[:1].isalnum():
        return False
    return all(unicodedata.category(character) in ("Zs", "Cf") for character in side)


def _unescaped(text: str) -> str:
    for _ in range(_TIMES_ESCAPED):
        before, text = text, _ESCAPE.sub(_character, text)
        if text == before:
            break
    return text


def _character(escape: re.Match) -> str:
    name = escape[1] or escape[2]
    if name.startswith("#"):
        return html.unescape(f"&{name};")
    return _MOSES.get(name) or html5.get(f"{name};", escape[0])


def _joined(text: str) -> str:
    return _JOINT.sub(lambda joint: joint[1] or joint[2], text)


def _bare(text: str) -> str:
    return _BETWEEN_WORDS.sub(" ", _WITHIN_WORDS.sub("", text))
