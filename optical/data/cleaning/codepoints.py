"""Blocks of sentences as one array of code points, so that no loop runs over characters.

Sentences are normalised (see ``screen.normalise``), so none has a newline, which ends each sentence here.
"""

import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from optical.data.registry.scripts import SCRIPTS
from optical.errors import UserError

_END = ord("\n")
_SURROGATES = range(0xD800, 0xE000)
_LAST = 0x3FFFF  # a noncharacter; no letter lies beyond it
_LETTER = r"\p{L}"
_LETTER_OR_MARK = r"[\p{L}\p{M}]"
_SPOKEN = r"[\p{L}\p{M}\p{N}]"


def script_shares(sentences: Sequence[str], *scripts: str) -> np.ndarray:
    """Share of each sentence's letters that are in a script (ISO 15924, e.g. ``Latn``); 1 where it has no letter.

    Of several scripts the one with the largest share counts: a sentence is in one of them. Marks of a script count as
    its letters: in Indic scripts they are the vowels, and letters are only half of the text.

    Raises:
        UserError: no table for a script.
    """
    if unknown := [script for script in scripts if script not in SCRIPTS]:
        advice = "add it to optical/data/registry/scripts.py, or set bitext.cleaning.min_script_share 0"
        raise UserError(f"script {unknown[0]!r}", f"not one of {', '.join(SCRIPTS)}", advice)
    codes = _codes("\n".join(sentences))
    starts = np.concatenate([[0], np.flatnonzero(codes == _END) + 1])[: len(sentences)]
    patterns = {SCRIPTS[script] for script in scripts}
    return np.maximum.reduce([_shares(codes, starts, pattern) for pattern in patterns])


def _shares(codes: np.ndarray, starts: np.ndarray, pattern: str) -> np.ndarray:
    inside = (_members(pattern) & _members(_LETTER_OR_MARK))[codes]
    letters = _members(_LETTER)[codes] | inside
    letters, inside = (np.add.reduceat(mask, starts, dtype=np.int64) for mask in (letters, inside))
    return np.divide(inside, letters, out=np.ones(len(starts)), where=letters > 0)


def skeletons(sentences: Sequence[str]) -> list[str]:
    """Letters, marks and digits of each sentence after NFKC and case folding: punctuation and case do not change them.

    Marks stay because they are the vowels of Indic scripts.

    >>> skeletons(["Habari, DUNIA!", "\uff11\uff12 \u03a3"])
    ['habaridunia', '12\u03c3']
    """
    codes = _codes(unicodedata.normalize("NFKC", "\n".join(sentences)).casefold())
    kept = codes[_members(_SPOKEN)[codes] | (codes == _END)]
    return kept.astype("<u4").tobytes().decode("utf-32-le").split("\n")[: len(sentences)]


def _codes(text: str) -> np.ndarray:
    """Code points of the text and a final newline, those past every letter as one."""
    return np.minimum(np.frombuffer(f"{text}\n".encode("utf-32-le"), "<u4"), _LAST)


@cache
def _members(pattern: str) -> np.ndarray:
    """Which code points match a character class of RE2, as a table indexed by code point."""
    table = np.zeros(_LAST + 1, bool)
    codes, characters = _characters()
    table[codes] = pc.match_substring_regex(characters, pattern)
    return table


@cache
def _characters() -> tuple[np.ndarray, pa.Array]:
    codes = [code for code in range(_LAST) if code not in _SURROGATES]
    return np.array(codes), pa.array([chr(code) for code in codes])
