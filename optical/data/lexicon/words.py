"""The words of a text, for everything that counts words: BM25 and the lexicon."""

import re
import sys
import unicodedata
from functools import cache

_JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner, which Persian and Indic scripts write inside words."""


def words(text: str) -> list[str]:
    """The lower-cased words of a text, in order; nothing is stemmed or left out.

    >>> words("L'École, 2 rues"), words("हिन्दी में")
    (['l', 'école', '2', 'rues'], ['हिन्दी', 'में'])
    """
    return [word.lower() for word in spelt_words(text)]


def spelt_words(text: str) -> list[str]:
    """The words of a text as they are written: runs of letters, their marks, and digits, in composed form (NFC).

    An apostrophe or a hyphen ends a word. Text of a script without spaces is one long word.

    >>> spelt_words("Mto Nile uko wapi?")
    ['Mto', 'Nile', 'uko', 'wapi']
    """
    return _word().findall(unicodedata.normalize("NFC", text))


def word_places(text: str) -> list[tuple[str, int, int]]:
    """The words of ``words``, each with the places of its first character and behind its last one, in composed form.

    >>> word_places("Mto Nile?")
    [('mto', 0, 3), ('nile', 4, 8)]
    """
    return [(word.group().lower(), *word.span()) for word in _word().finditer(unicodedata.normalize("NFC", text))]


@cache
def _word() -> re.Pattern[str]:
    """Letters and digits, each with the marks behind it, which ``\\w`` does not match."""
    marks = "".join(chr(code) for code in range(sys.maxunicode) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
    return re.compile(rf"[^\W_](?:[^\W_]|[{re.escape(marks + _JOINERS)}])*")
