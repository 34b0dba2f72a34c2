"""Checks that the two sides of a bitext are in their languages, without a model: by script, else by function words.

A run stops on positive evidence only: a side that reads like the other side's language, or like a third one of the
list of function words. Names, single words and lexicons have no function words, and so give no evidence.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Literal

from optical.data.bitext.columns import NO_TEXT, kind
from optical.data.bitext.screen import excerpt
from optical.data.registry.function_words import FUNCTION_WORDS
from optical.data.registry.languages import canonical, languages
from optical.errors import DataError

SAMPLE = 500
"""Pairs that the sides are judged by."""
_FEWEST, _MANY = 5, 10
_TIMES = 4
_SHARE_OF_A_MIXTURE = 0.05
"""Share of pairs the other way round, among those with evidence; good data have at most one in a hundred."""
_LEAST_SHARE = 0.1
_SHARE_OF_A_TEXT = 0.2
_WORDS_OF_A_TEXT = 3
_WORDS_OF_ENGLISH, _ENGLISH_TEXTS, _LEAST_ENGLISH = 6, 20, 0.2
"""Fewest words of a text, fewest such texts, and the share of them that must have function words of English."""
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)?")
_LATIN = re.compile(r"[A-Za-z\u00aa-\u024f\u1e00-\u1eff]")
_LETTER = re.compile(r"[^\W\d_]")

Pair = tuple[str, str]


@dataclass(frozen=True)
class Verdict:
    """How the two sides of a bitext look, and the evidence."""

    what: Literal["right", "swapped", "mixed", "other", "unknown"]
    how: str
    shown: int = 0
    """Place of a pair that is an example."""


def check(name: str, reader: str, pairs: Sequence[Pair], source: str, target: str) -> str:
    """The evidence that the sides are right, or that there is none.

    Args:
        name: the data set, for messages.
        reader: its reader, for the advice.
        pairs: the first well-formed pairs, source before target.
        source: code of the query language.
        target: code of the other side's language.

    Raises:
        DataError: the sides look swapped, in all pairs or in some, or one looks like another language or like no text.
    """
    verdict = judge(pairs, source, target)
    if verdict.what in ("right", "unknown"):
        return verdict.how
    shown = " | ".join(repr(excerpt(side)) for side in pairs[verdict.shown])
    what = f"{verdict.how}; the pair is read as {source} {shown}"
    remedy = {"swapped": _remedy(name, reader), "mixed": "put the source side first in every pair"}.get(
        verdict.what, "check the file and bitext.source"
    )
    raise DataError(name, what, f"{remedy}; if it is right as it is, --bitext.cleaning.no-check-sides")


def judge(pairs: Sequence[Pair], source: str, target: str) -> Verdict:
    """Whether the sides are in their languages."""
    codes = canonical(source), canonical(target)
    if codes[0] == codes[1]:
        return Verdict("unknown", f"both sides are {codes[0]}, and either could be the other")
    for side, texts in zip(("source", "target"), zip(*pairs, strict=True), strict=False):
        if len(pairs) >= _FEWEST and (held := kind(texts)) in NO_TEXT:
            return Verdict("other", f"the {side} side holds {held}, not text")
    verdict = _by_script(pairs, *codes) or _by_words(pairs, *codes)
    if verdict and verdict.what in ("swapped", "mixed"):
        return verdict
    return (
        _another(pairs, *codes)
        or _not_english(pairs, codes[1])
        or verdict
        or Verdict("unknown", "nothing tells the two sides apart by language")
    )


def _by_script(pairs: Sequence[Pair], source: str, target: str) -> Verdict | None:
    """A verdict where one of the two languages is written in Latin letters and the other is not."""
    latin = [code in languages() and languages()[code].script == "Latn" for code in (source, target)]
    if latin[0] == latin[1]:
        return None
    seen = [tuple(map(_is_latin, pair)) for pair in pairs]
    return _verdict([(pair == tuple(latin)) - (pair == (latin[1], latin[0])) for pair in seen], "the script")


def _by_words(pairs: Sequence[Pair], source: str, target: str) -> Verdict | None:
    """A verdict by the side on which the function words of a language are denser, pair by pair."""
    for code, own in ((target, 1), (source, 0)):
        if code not in FUNCTION_WORDS:
            continue
        shares = [[_share(text, code) for text in pair] for pair in pairs]
        ways = [(share[own] > share[1 - own]) - (share[own] < share[1 - own]) for share in shares]
        mean = [sum(share[side] for share in shares) / len(pairs) for side in (own, 1 - own)]
        verdict = _verdict(ways, f"function words of {languages()[code].name}")
        telling = {"right": mean[0], "swapped": mean[1], "mixed": sum(mean)}
        if verdict and telling[verdict.what] >= _LEAST_SHARE:
            return verdict
    return None


def _verdict(ways: Sequence[int], how: str) -> Verdict | None:
    """A verdict by the direction of each pair: 1 as it should be, -1 the other way, 0 neither."""
    as_said, other_way, pairs = ways.count(1), ways.count(-1), len(ways)
    seen = f"{how} ({as_said} of {pairs} pairs, and {other_way} the other way)"
    fewer = min(as_said, other_way)
    if fewer >= _FEWEST and fewer > _SHARE_OF_A_MIXTURE * (as_said + other_way):
        return Verdict("mixed", f"some pairs are the other way round by {seen}", ways.index(-1))
    if as_said >= _FEWEST and as_said >= _TIMES * other_way:
        return Verdict("right", f"the sides are in their languages by {how} ({as_said} of {pairs} pairs)")
    if other_way >= _FEWEST and other_way >= _TIMES * as_said:
        seen = f"{how} ({other_way} of {pairs} pairs, and {as_said} the other way)"
        return Verdict("swapped", f"the two sides look swapped by {seen}")
    return None


def _another(pairs: Sequence[Pair], source: str, target: str) -> Verdict | None:
    """A verdict where most texts of a side read like a listed language that is not the side's.

    A language without a list may be similar to any but English, so only English counts against it.
    """
    for side, own in enumerate((source, target)):
        texts = [pair[side] for pair in pairs if len(_words(pair[side])) >= _WORDS_OF_A_TEXT]
        for code in FUNCTION_WORDS if own in FUNCTION_WORDS else ("eng",):
            like = sum(_reads_like(text, code) for text in texts)
            like_own = sum(_reads_like(text, own) for text in texts)
            if code != own and like >= max(_MANY, 2 / 3 * len(pairs), _TIMES * like_own):
                what = f"the {('source', 'target')[side]} side should be {own} and reads like {languages()[code].name}"
                return Verdict("other", f"{what} by its function words ({like} of {len(pairs)} texts)")
    return None


def _not_english(pairs: Sequence[Pair], target: str) -> Verdict | None:
    """A verdict where long texts should be English and hardly any has its function words."""
    texts = [text for _, text in pairs if len(_words(text)) >= _WORDS_OF_ENGLISH]
    if target != "eng" or len(texts) < _ENGLISH_TEXTS:
        return None
    like = sum(_share(text, "eng") >= _LEAST_SHARE for text in texts)
    if like >= _LEAST_ENGLISH * len(texts):
        return None
    what = "the target side should be eng and does not read like it"
    return Verdict("other", f"{what} ({like} of {len(texts)} texts have its function words)")


def _reads_like(text: str, code: str) -> bool:
    """Whether a text is in a language; in one with letters of other scripts only a title or a name is."""
    if code not in FUNCTION_WORDS or _share(text, code) < _SHARE_OF_A_TEXT:
        return False
    return len(_LATIN.findall(text)) >= len(_LETTER.findall(text))


def _share(text: str, code: str) -> float:
    """The share of a text's words that are function words of a language."""
    words = _words(text)
    return sum(word in _listed(code) for word in words) / len(words) if words else 0.0


@lru_cache(maxsize=4 * SAMPLE)
def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower().replace("\u2019", "'"))


@cache
def _listed(code: str) -> frozenset[str]:
    return frozenset(FUNCTION_WORDS[code].split())


def _is_latin(text: str) -> bool:
    """Whether most letters are Latin; a text without letters is not."""
    return 2 * len(_LATIN.findall(text)) > len(_LETTER.findall(text))


def _remedy(name: str, reader: str) -> str:
    base, _, columns = reader.partition(":")
    path = name.rpartition(":")[2]
    if base == "moses":
        return "rename the two files by what they hold"
    if columns:
        return f"give the columns the other way round, {base}:{','.join(reversed(columns.split(',')))}:{path}"
    if base == "tsv":
        return f"say that English comes first, tsv-english-first:{path}, or name the columns, tsv:SOURCE,TARGET:{path}"
    if base in ("csv", "jsonl", "parquet", "tsv-english-first"):
        return f"name the columns, source first, {base.split('-')[0]}:SOURCE,TARGET:{path}"
    return "check the file and bitext.source"
