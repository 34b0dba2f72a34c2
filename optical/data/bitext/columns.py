"""Columns: what the names of a header say (which is the source side, which the target), and what a column holds."""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

from optical.data.registry.languages import canonical, known

NO_TEXT = frozenset({"addresses", "numbers", "identifiers", "licences"})
"""Kinds of columns that are never a side."""
_MOST = 0.9
_FEW, _SEVERAL = 5, 20
_ADDRESS = re.compile(r"(?:[a-z][a-z0-9+.-]*://|www\.)\S+|[\w.-]+(?:/[\w.-]+)+\.\w{2,5}", re.IGNORECASE)
_LICENCE = re.compile(r"cc[- ]by|tatoeba\.org", re.IGNORECASE)
_KNOWN_NAMES = (
    ("source", "target"),
    ("non_english", "english"),
    ("question", "translated_question"),
    ("question", "answer"),
    ("question_text", "paragraph_text"),
)
_SOURCE, _TARGET, _TEXT, _OTHER_FIELD = "=source", "=target", "=text", "=other"
_ROLES = {"source": _SOURCE, "src": _SOURCE, "nonenglish": _SOURCE, "target": _TARGET, "tgt": _TARGET, "trg": _TARGET}
# Words that name the text itself, and words that name other fields; "1" and "2" stay, as in sentence1.
_TEXTUAL = frozenset("text texts sentence sentences sent phrase segment seg translation translated".split())  # noqa: SIM905
_OTHER = frozenset(
    "id ids idx index uid uuid key hash url urls uri link score scores similarity laser bicleaner bleualign lang langs "  # noqa: SIM905
    "language languages licence license attribution user username author date domain corpus dataset split topic rating "
    "count index length len number no position category label notes note comment".split()
)
_WORDS_OF_HEADERS = _OTHER | _TEXTUAL | _ROLES.keys()
_CODE = re.compile(r"[a-z]{2,3}(?:[-_ ](?:[a-z]{4}|[a-z]{2}))*")
_WORDS = re.compile(r"[^\W\d_]+|\d+")


def side_names(names: Sequence[str], source: str, target: str) -> tuple[str, str] | None:
    """Which of a record's names are its source and its target; None when they do not say it, or say it twice.

    First come names of the two languages, then known pairs of names (unless another name is one of the languages), then
    words such as ``src`` and ``tgt``.

    Args:
        names: the names of a record's fields.
        source: code of the query language.
        target: code of the other side's language.

    >>> side_names(["id", "sentence_eng_Latn", "text_sw"], "swa", "eng")
    ('text_sw', 'sentence_eng_Latn')
    """
    return _side_names(tuple(names), source, target)


@lru_cache(maxsize=256)
def _side_names(names: tuple[str, ...], source: str, target: str) -> tuple[str, str] | None:
    meanings = {name: meaning(name, source, target) for name in names}
    codes = canonical(source), canonical(target)
    source_name, target_name = (_found(meanings, (code,)) for code in codes)
    if source_name and target_name and source_name != target_name:
        return source_name, target_name
    lower = {name.lower(): name for name in reversed(names)}
    for first, second in _KNOWN_NAMES:
        if first in lower and second in lower:
            others = lower.keys() - {first, second}
            return None if any(_mentions(name, codes) for name in others) else (lower[first], lower[second])
    sides = [_found(meanings, wanted) for wanted in ((codes[0], _SOURCE), (codes[1], _TARGET))]
    texts = [name for name, what in meanings.items() if what.startswith(_TEXT)]
    numbered = [name for end in "12" for name in texts if meanings[name] == _TEXT + end]
    if sides == [None, None]:
        return (numbered[0], numbered[1]) if len(numbered) == 2 else None
    if None in sides:
        # "English, Translation": the one name left for a text is the other side.
        if len(texts) != 1:
            return None
        sides[sides.index(None)] = texts[0]
    return (sides[0], sides[1]) if sides[0] and sides[1] and sides[0] != sides[1] else None


def _found(meanings: dict[str, str], wanted: Sequence[str]) -> str | None:
    """The only name with the first meaning that any name has; empty when several have it."""
    for what in wanted:
        found = [name for name, meant in meanings.items() if meant == what]
        if len(found) > 1 and what not in (_SOURCE, _TARGET):
            found = [name for name in found if name.lower() not in _OTHER]  # "id" next to "text_id" is not Indonesian
        if found:
            return found[0] if len(found) == 1 else ""
    return None


def _mentions(name: str, codes: Sequence[str]) -> bool:
    """Whether a piece of a name, such as the last of ``question_sw``, is one of the languages."""
    pieces = [piece for piece in _WORDS.findall(name) if piece not in _OTHER]
    return any((found := known(piece)) is not None and found.code in codes for piece in pieces)


def meaning(name: str, source: str, target: str) -> str:
    """The meaning of a field's name: the code of a language, a side, a text, another field; empty for none."""
    plain = name.strip().strip('"').lower()
    found = known(plain.replace(" ", "-")) if _CODE.fullmatch(plain) else None
    if found and (found.code in (canonical(source), canonical(target)) or plain not in _WORDS_OF_HEADERS):
        return found.code
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    words = _WORDS.findall(re.sub(r"non[\W_]*english", "nonenglish", spaced.lower()))
    if _OTHER.intersection(words):
        return _OTHER_FIELD
    left = [word for word in words if word not in _TEXTUAL]
    if len(left) < len(words) and left in ([], ["1"], ["2"]):
        return _TEXT + "".join(left)
    if len(left) == 1 and left[0] in _ROLES:
        return _ROLES[left[0]]
    return _language(left, composed=len(left) < len(words)) or ""


def _language(words: list[str], composed: bool) -> str | None:
    """A language by its English name, or, together with a word such as ``text``, by its code with script or region."""
    name = " ".join(words)
    is_code = _CODE.fullmatch(name)
    found = None if is_code and not composed else known("-".join(words) if is_code else name)
    return found.code if found else None


def is_header(cells: Sequence[str], source: str, target: str) -> bool:
    """Whether a table's first record names columns: every cell that is not empty has a meaning, and two are texts.

    Codes alone are believed only when one is of the two languages, since words of a lexicon may look like codes.
    """
    meanings = [meaning(cell, source, target) for cell in cells if cell.strip()]
    if not all(meanings) or sum(what != _OTHER_FIELD for what in meanings) < 2:
        return False
    named = any(len(cell.strip()) > 3 for cell in cells)
    return named or bool({canonical(source), canonical(target)}.intersection(meanings))


def kind(cells: Sequence[str]) -> str:
    """What the cells of a column hold: ``text``, ``addresses``, ``numbers``, ``identifiers``, ``licences``,
    ``one value``, or ``little`` when most are empty."""
    full = [cell.strip() for cell in cells if cell.strip()]
    if not full or len(full) * 2 < len(cells):
        return "little"

    def most(test: Callable[[str], object]) -> bool:
        return sum(map(bool, map(test, full))) >= _MOST * len(full)

    if most(_ADDRESS.fullmatch):
        return "addresses"
    if most(_is_number):
        return "numbers"
    if most(_LICENCE.match):
        return "licences"
    if len(full) >= _SEVERAL and len(set(full)) == 1:
        return "one value"
    if len(full) >= _FEW and len(set(full)) == len(full) and most(_is_identifier):
        return "identifiers"
    return "text"


def _is_number(cell: str) -> bool:
    return any(map(str.isdigit, cell)) and not any(map(str.isalpha, cell))


def _is_identifier(cell: str) -> bool:
    return cell.isascii() and not any(map(str.isspace, cell)) and any(map(str.isdigit, cell))
