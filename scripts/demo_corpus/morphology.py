"""Swahili word forms: noun-class agreement and verb conjugation.

Agreement keys are the Bantu noun classes 1 to 11, and ``"1s"``, ``"2s"``, ``"1p"``, ``"2p"`` for I, you, we, you all.
Reference: Ashton, Swahili Grammar (1944), whose class numbers are the ones used since Meinhof.
"""

from dataclasses import dataclass

from scripts.demo_corpus.meaning import Adjective, Noun, Tense, Verb

Agreement = int | str


@dataclass(frozen=True)
class Concord:
    """The prefixes and pronouns one noun class imposes on the words that agree with it."""

    subject: str
    object: str
    adjective: str
    adjective_before_vowel: str
    possessive: str
    associative: str
    this: str
    that: str
    relative: str


CONCORDS = {
    1: Concord("a", "m", "m", "mw", "w", "wa", "huyu", "yule", "ye"),
    2: Concord("wa", "wa", "wa", "w", "w", "wa", "hawa", "wale", "o"),
    3: Concord("u", "u", "m", "mw", "w", "wa", "huu", "ule", "o"),
    4: Concord("i", "i", "mi", "my", "y", "ya", "hii", "ile", "yo"),
    5: Concord("li", "li", "", "j", "l", "la", "hili", "lile", "lo"),
    6: Concord("ya", "ya", "ma", "m", "y", "ya", "haya", "yale", "yo"),
    7: Concord("ki", "ki", "ki", "ch", "ch", "cha", "hiki", "kile", "cho"),
    8: Concord("vi", "vi", "vi", "vy", "vy", "vya", "hivi", "vile", "vyo"),
    9: Concord("i", "i", "n", "ny", "y", "ya", "hii", "ile", "yo"),
    10: Concord("zi", "zi", "n", "ny", "z", "za", "hizi", "zile", "zo"),
    11: Concord("u", "u", "m", "mw", "w", "wa", "huu", "ule", "o"),
}
_PERSON_SUBJECTS = {"1s": "ni", "2s": "u", "1p": "tu", "2p": "m"}
_PERSON_OBJECTS = {"1s": "ni", "2s": "ku", "1p": "tu", "2p": "wa"}
_SHORT_STEMS = ("la", "nywa", "fa", "ja")
_PASSIVES = {"la": "liwa", "nywa": "nywewa", "vaa": "valiwa"}
_TENSES = {"present": "na", "past": "li", "future": "ta", "perfect": "me"}
_NUMERALS = {
    1: "moja", 2: "wili", 3: "tatu", 4: "nne", 5: "tano",
    6: "sita", 7: "saba", 8: "nane", 9: "tisa", 10: "kumi",
}  # fmt: skip
_UNCHANGING_NUMERALS = (6, 7, 9, 10)


def noun_form(noun: Noun, plural: bool) -> str:
    """The noun in the singular or plural."""
    return noun.plural if plural else noun.singular


def noun_class(noun: Noun, plural: bool) -> int:
    """The class other words agree with: living beings use 1 and 2, whatever their own class."""
    if noun.animate:
        return 2 if plural else 1
    return noun.classes[plural]


def adjective_form(adjective: Adjective, agreement: int) -> str:
    """The adjective agreeing with a noun class: kubwa gives kikubwa, mkubwa, makubwa."""
    if adjective.concord == "bare":
        return adjective.stem
    if adjective.concord == "associative":
        return f"{CONCORDS[agreement].associative} {adjective.stem}"
    return prefixed(adjective.stem, agreement)


def prefixed(stem: str, agreement: int) -> str:
    """An adjectival stem with the prefix of a noun class and the sound changes where they meet."""
    concord = CONCORDS[agreement]
    if agreement in (9, 10):
        return _nasal(stem)
    if stem[0] == "i":
        joined = {2: "w", 4: "m", 6: "m", 7: "k", 8: "v"}.get(agreement, concord.adjective_before_vowel)
        return joined + ("e" + stem[1:] if agreement in (2, 6) else stem)
    if stem[0] in "aeou":
        return concord.adjective_before_vowel + stem
    if agreement == 5 and stem == "pya":
        return "jipya"
    return concord.adjective + stem


def _nasal(stem: str) -> str:
    if stem == "ema":
        return "njema"
    if stem[0] in "aeiou":
        return "ny" + stem
    if stem == "pya" or stem[0] in "bv":
        return "m" + stem
    if stem[0] == "r":
        return "nd" + stem[1:]
    if stem[0] == "w":
        return "mb" + stem[1:]
    return "n" + stem if stem[0] in "dgzj" else stem


def numeral_form(number: int, agreement: int) -> str:
    """The numeral 1 to 10 agreeing with a noun class: viti viwili, watu watatu, nyumba mbili."""
    stem = _NUMERALS[number]
    return stem if number in _UNCHANGING_NUMERALS else prefixed(stem, agreement)


def object_prefix(agreement: Agreement, following: str) -> str:
    """The object prefix before a stem: ki, li, zi; m becomes mw before a vowel (alimwona)."""
    if isinstance(agreement, str):
        return _PERSON_OBJECTS[agreement]
    prefix = CONCORDS[agreement].object
    return "mw" if prefix == "m" and following[0] in "aeiou" else prefix


def passive_stem(stem: str) -> str:
    """The passive of a verb stem: jenga gives jengwa, nunua gives nunuliwa, pokea gives pokewa."""
    if stem in _PASSIVES:
        return _PASSIVES[stem]
    if stem.endswith("au"):
        return stem + "liwa"
    if stem.endswith("ua"):
        return stem[:-1] + "liwa"
    return stem[:-1] + "wa"


def subject_prefix(agreement: Agreement, negative: bool = False) -> str:
    """The subject prefix, affirmative (a, ki, ni) or negative (ha, haki, si)."""
    if agreement == "1s":
        return "si" if negative else "ni"
    plain = _PERSON_SUBJECTS[agreement] if isinstance(agreement, str) else CONCORDS[agreement].subject
    if not negative:
        return plain
    return "h" + plain if agreement in (1, "2s") else "ha" + plain


def conjugate(
    verb: Verb,
    tense: Tense,
    agreement: Agreement,
    *,
    negative: bool = False,
    marker: Agreement | None = None,
    passive: bool = False,
) -> str:
    """A finite verb: subject, tense, object prefix and stem in one word, and the verb's tail after it.

    Args:
        verb: its stem decides the passive and whether infinitive ``ku`` carries the stress (alikula, but alikila).
        tense: the five tenses; the habitual hu- takes no subject prefix, and its negative is the present's.
        agreement: class or person of the subject.
        negative: hasomi, hakusoma, hatasoma, hajasoma.
        marker: class or person of the object to mark on the verb, if any.
        passive: use the passive stem.
    """
    stem = passive_stem(verb.stem) if passive else verb.stem
    core = stem if marker is None else object_prefix(marker, stem) + stem
    carried = "ku" + core if core in _SHORT_STEMS else core
    subject = subject_prefix(agreement, negative)
    if negative:
        unstressed = {"past": "ku" + core, "future": "ta" + carried, "perfect": "ja" + core}
        ending = core[:-1] + "i" if core.endswith("a") else core
        word = subject + unstressed.get(tense, ending)
    elif tense == "habitual":
        word = "hu" + core
    else:
        word = subject + _TENSES[tense] + carried
    return f"{word} {verb.tail}".strip()


def relative_past(verb: Verb, subject: Agreement, head: int, marker: Agreement | None = None) -> str:
    """The past relative: aliyejenga 'who built', kilichoanguka 'which fell', alichosoma 'which he read'."""
    core = verb.stem if marker is None else object_prefix(marker, verb.stem) + verb.stem
    carried = "ku" + core if core in _SHORT_STEMS else core
    return f"{subject_prefix(subject)}li{CONCORDS[head].relative}{carried} {verb.tail}".strip()
