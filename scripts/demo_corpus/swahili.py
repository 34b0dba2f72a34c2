"""Meanings said in Swahili: word order, agreement across the sentence, questions."""

from functools import singledispatch

from scripts.demo_corpus.meaning import (
    Adjective,
    Being,
    Clause,
    Existing,
    Having,
    Joined,
    Meaning,
    Name,
    Participant,
    Phrase,
    Pronoun,
    Question,
    Town,
    noun_phrase,
    undergoer,
)
from scripts.demo_corpus.morphology import (
    CONCORDS,
    Agreement,
    adjective_form,
    conjugate,
    noun_class,
    noun_form,
    numeral_form,
    prefixed,
    relative_past,
    subject_prefix,
)

_POSSESSIVES = {"my": "angu", "your": "ako", "his": "ake", "her": "ake", "our": "etu", "their": "ao"}
_LINKS = {"then": "na kisha", "but": "lakini", "because": "kwa sababu"}
_QUESTION_PLACES = {"place": "wapi", "time": "lini"}


def render(meaning: Meaning) -> str:
    """The sentence in Swahili, capitalised and with its final stop."""
    words = _say(meaning)
    return words[0].upper() + words[1:] + ("?" if isinstance(meaning, Question) else ".")


def phrase(of: Participant) -> str:
    """A participant as a noun phrase; pronouns are empty, the verb's prefix says them."""
    if isinstance(of, Pronoun):
        return ""
    if isinstance(of, Name):
        return of.text
    concord = noun_class(of.noun, of.plural)
    words = [noun_form(of.noun, of.plural)]
    if of.determiner in _POSSESSIVES:
        words.append(CONCORDS[_possessed_class(of)].possessive + _POSSESSIVES[of.determiner])
    if of.adjective is not None:
        words.append(adjective_form(of.adjective, concord))
    if of.number is not None:
        words.append(numeral_form(of.number, concord))
    if of.determiner == "all":
        words.append(CONCORDS[concord].possessive + "ote")
    if of.determiner in ("this", "that"):
        words.append(getattr(CONCORDS[concord], of.determiner))
    if of.owner is not None:
        words.append(f"{CONCORDS[concord].associative} {phrase(of.owner)}")
    if of.relative is not None:
        words.append(_relative(of.relative, concord))
    return " ".join(words)


def _possessed_class(of: Phrase) -> int:
    # Kin in classes 9 and 10 keep them before possessives only: rafiki yangu, dada zangu.
    if "kin" not in of.noun.tags:
        return noun_class(of.noun, of.plural)
    return 10 if of.plural else 9


def _agreement(of: Participant) -> Agreement:
    if isinstance(of, Pronoun):
        return of.agreement
    return 1 if isinstance(of, Name) else noun_class(of.noun, of.plural)


def _marker(clause: Clause) -> Agreement | None:
    """The object prefix: for pronouns and living beings always, otherwise where the clause asks for it."""
    target = clause.object
    if target is None:
        return None
    living = not isinstance(target, Phrase) or target.noun.animate
    return _agreement(target) if living or clause.marked else None


def _relative(clause: Clause, head: int) -> str:
    words = [relative_past(clause.verb, head, head, _marker(clause))]
    if clause.object is not None:
        words.append(phrase(clause.object))
    if clause.place is not None:
        words.append(_place(clause.place))
    return " ".join(words)


def _place(place: Phrase | Town) -> str:
    if isinstance(place, Town):
        return f"huko {place.text}"
    if place.plural or place.adjective or place.owner or place.determiner != "the":
        return f"katika {phrase(place)}"
    return place.noun.singular + "ni"


@singledispatch
def _say(meaning: Meaning) -> str:
    raise TypeError(f"no Swahili for {type(meaning).__name__}")


@_say.register
def _clause(clause: Clause) -> str:
    return _order(clause, *_core(clause))


def _core(clause: Clause) -> tuple[str, str]:
    """Subject, and verb with object or agent."""
    if clause.passive:
        subject = undergoer(clause)
        verb = conjugate(clause.verb, clause.tense, _agreement(subject), negative=clause.negative, passive=True)
        return phrase(subject), f"{verb} na {phrase(clause.subject)}"
    verb = conjugate(
        clause.verb, clause.tense, _agreement(clause.subject), negative=clause.negative, marker=_marker(clause)
    )
    return phrase(clause.subject), f"{verb} {phrase(clause.object) if clause.object else ''}".strip()


def _order(clause: Clause, subject: str, predicate: str, asked: str = "") -> str:
    time = clause.time.swahili if clause.time else ""
    words = [subject, predicate]
    if asked in _QUESTION_PLACES:
        words.append(_QUESTION_PLACES[asked])
    if clause.place is not None and asked != "place":
        words.insert(2, _place(clause.place))
    if time and asked != "time":
        words.insert(0, f"{time},") if clause.time_first else words.append(time)
    if clause.reason is not None and asked != "reason":
        words.append(f"kwa sababu {_say(clause.reason)}")
    return " ".join(word for word in words if word)


@_say.register
def _being(being: Being) -> str:
    agreement = _agreement(being.subject)
    concord = agreement if isinstance(agreement, int) else (1 if agreement.endswith("s") else 2)
    said = being.predicate
    complement = adjective_form(said, concord) if isinstance(said, Adjective) else phrase(said)
    copula = "si" if being.negative else "ni"
    if being.past:
        prefix = subject_prefix(agreement, being.negative)
        copula = f"{prefix}kuwa" if being.negative else f"{prefix}likuwa"
    place = f"wa {being.place.text}" if being.place else ""
    return " ".join(word for word in (phrase(being.subject), copula, complement, place) if word)


@_say.register
def _having(having: Having) -> str:
    prefix = subject_prefix(_agreement(having.subject))
    verb = f"{prefix}likuwa na" if having.past else f"{prefix}na"
    return f"{phrase(having.subject)} {verb} {phrase(having.object)}".strip()


@_say.register
def _existing(existing: Existing) -> str:
    verb = "kulikuwa na" if existing.past else "kuna"
    time = existing.time.swahili if existing.time else ""
    return f"{verb} {phrase(existing.subject)} {_place(existing.place)} {time}".strip()


@_say.register
def _joined(joined: Joined) -> str:
    return f"{_say(joined.first)} {_LINKS[joined.link]} {_say(joined.second)}"


@_say.register
def _question(question: Question) -> str:
    clause, asked = question.clause, question.asked
    subject, predicate = _core(clause)
    if asked == "truth":
        return f"je, {_order(clause, subject, predicate)}"
    if asked == "reason":
        return f"kwa nini {_order(clause, subject, predicate, asked)}"
    if asked == "subject":
        return _who(question)
    if asked == "object":
        marker = _marker(clause) if isinstance(clause.object, Phrase) and clause.object.noun.animate else None
        verb = conjugate(clause.verb, clause.tense, _agreement(clause.subject), negative=clause.negative, marker=marker)
        return _order(clause, subject, f"{verb} {'nini' if marker is None else 'nani'}", asked)
    if asked == "count":
        return _order(clause, *_counted(clause))
    return _order(clause, subject, predicate, asked)


def _who(question: Question) -> str:
    clause = question.clause
    target = phrase(clause.object) if clause.object else ""
    if clause.passive:
        verb = conjugate(clause.verb, clause.tense, _agreement(undergoer(clause)), passive=True)
        return _order(clause, target, f"{verb} na nani")
    if question.focused and clause.tense == "past":
        return _order(clause, "ni nani", f"{relative_past(clause.verb, 1, 1, _marker(clause))} {target}".strip())
    verb = conjugate(clause.verb, clause.tense, 1, marker=_marker(clause))
    return _order(clause, "nani", f"{verb} {target}".strip())


def _counted(clause: Clause) -> tuple[str, str]:
    counted = noun_phrase(clause.object)
    concord = noun_class(counted.noun, plural=True)
    words = [noun_form(counted.noun, plural=True)]
    if counted.adjective is not None:
        words.append(adjective_form(counted.adjective, concord))
    words.append(prefixed("ngapi", concord))
    verb = conjugate(clause.verb, clause.tense, _agreement(clause.subject), marker=_marker(clause))
    return phrase(clause.subject), f"{verb} {' '.join(words)}"
