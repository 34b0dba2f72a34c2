"""Language identification by CLD2, whose tables come inside its wheel; an optional package."""

from functools import cache
from types import ModuleType

import numpy as np

from optical.data.registry.languages import canonical
from optical.errors import UserError


def other_language(texts: list[str], code: str) -> np.ndarray:
    """Which texts CLD2 reliably takes for a language other than ``code``; none when it does not know that one.

    Raises:
        UserError: the package is not installed.
    """
    if canonical(code) not in _known():
        return np.zeros(len(texts), bool)
    return np.array([_taken_for(text) not in (canonical(code), None) for text in texts], bool)


def _taken_for(text: str) -> str | None:
    detector = _cld2()
    try:
        reliable, _, languages = detector.detect(text)
    except detector.error:  # characters it does not take, such as private ones
        return None
    code = languages[0][1]
    return canonical(code) if reliable and code != "un" else None


@cache
def _known() -> frozenset[str]:
    return frozenset(canonical(code) for _, code in _cld2().LANGUAGES)


def _cld2() -> ModuleType:
    try:
        import pycld2
    except ImportError:
        advice = "pip install pycld2, or set bitext.cleaning.check_language false"
        raise UserError("bitext.cleaning.check_language", "needs the package pycld2", advice) from None
    return pycld2
