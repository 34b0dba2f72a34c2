"""Meanings said in English: articles, auxiliaries, questions with do-support."""

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
    Noun,
    Participant,
    Phrase,
    Pronoun,
    Question,
    Tense,
    Town,
    Verb,
    noun_phrase,
    undergoer,
)

_NUMBERS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
)  # fmt: skip
_UPRIGHT = ("person", "building", "plant")
_OBJECT_FORMS = {"I": "me", "he": "him", "she": "her", "we": "us", "they": "them"}
_DOUBLING = ("run", "sit", "cut", "swim", "win")
_LINKS = {"then": "and then", "but": "but", "because": "because"}


def render(meaning: Meaning) -> str:
    """The sentence in English, capitalised and with its final stop."""
    words = _say(meaning)
    return words[0].upper() + words[1:] + ("?" if isinstance(meaning, Question) else ".")


def phrase(of: Participant, objective: bool = False) -> str:
    """A participant as a noun phrase; ``objective`` gives him, her, them."""
    if isinstance(of, Pronoun):
        return _OBJECT_FORMS.get(of.english, of.english) if objective else of.english
    if isinstance(of, Name):
        return of.text
    words = [] if of.number is None else [_NUMBERS[of.number]]
    if of.adjective is not None:
        words.append(adjective(of.adjective, of.noun))
    words.append(of.noun.english_plural if of.plural else of.noun.english)
    words = [*_determiner(of, words[0]), *words]
    if of.owner is not None:
        words.append(f"of {phrase(of.owner)}")
    if of.relative is not None:
        words.append(f"{'who' if 'person' in of.noun.tags else 'that'} {_relative(of.relative)}")
    return " ".join(words).replace("an other", "another")


def _determiner(of: Phrase, following: str) -> list[str]:
    if of.determiner == "a":
        if of.plural or of.noun.mass:
            return []
        return ["an" if following[0] in "aeiou" else "a"]
    if of.determiner in ("this", "that") and of.plural:
        return ["these" if of.determiner == "this" else "those"]
    if of.determiner == "all":
        return ["all", "the"]
    return [of.determiner] if of.determiner else []


def adjective(of: Adjective, noun: Noun) -> str:
    """The adjective beside a noun: what is tall for a tree is long for a letter."""
    upright = any(tag in _UPRIGHT for tag in noun.tags)
    return of.english_upright if of.english_upright and upright else of.english


def gerund(base: str) -> str:
    """The -ing form: running, writing, looking for."""
    head, _, tail = base.partition(" ")
    if head in _DOUBLING:
        head += head[-1]
    elif head.endswith("e") and not head.endswith("ee"):
        head = {"die": "dy"}.get(head, head[:-1])
    return f"{head}ing {tail}".strip()


def third_person(base: str) -> str:
    """The third person singular of the present: reads, washes, carries, looks for."""
    head, _, tail = base.partition(" ")
    if head.endswith(("s", "sh", "ch", "x", "o")):
        head += "es"
    elif head.endswith("y") and head[-2] not in "aeiou":
        head = head[:-1] + "ies"
    else:
        head += "s"
    return f"{head} {tail}".strip()


def _plural(of: Participant) -> bool:
    if isinstance(of, Phrase):
        return of.plural
    return isinstance(of, Pronoun) and of.english in ("you", "we", "they")


def _be(of: Participant, past: bool = False) -> str:
    if isinstance(of, Pronoun) and of.english == "I":
        return "was" if past else "am"
    if past:
        return "were" if _plural(of) else "was"
    return "are" if _plural(of) else "is"


def _have(of: Participant) -> str:
    return "have" if _plural(of) or (isinstance(of, Pronoun) and of.english == "I") else "has"


def predicate(verb: Verb, tense: Tense, subject: Participant, passive: bool = False) -> tuple[str, str]:
    """The auxiliary (which questions move and negation follows) and the main verb."""
    singular = _have(subject) == "has"
    if tense == "future":
        return "will", f"be {verb.participle}" if passive else verb.english
    if tense == "perfect":
        return _have(subject), f"been {verb.participle}" if passive else verb.participle
    if passive:
        progressive = tense == "present"
        return _be(subject, tense == "past"), f"being {verb.participle}" if progressive else verb.participle
    if tense == "past":
        return "did", verb.english
    if tense == "present" and not verb.stative:
        return _be(subject), gerund(verb.english)
    return "does" if singular else "do", verb.english


def _finite(clause: Clause, subject: Participant) -> str:
    auxiliary, main = predicate(clause.verb, clause.tense, subject, clause.passive)
    if clause.negative:
        return f"{auxiliary} not {main}"
    if auxiliary == "did":
        return clause.verb.past
    if auxiliary in ("do", "does"):
        return third_person(main) if auxiliary == "does" else main
    return f"{auxiliary} {main}"


def _place(place: Phrase | Town, imposed: str = "") -> str:
    if isinstance(place, Town):
        return f"{imposed or 'in'} {place.text}"
    return f"{imposed or place.noun.preposition} {phrase(place)}"


def _relative(clause: Clause) -> str:
    target = phrase(clause.object, objective=True) if clause.object else ""
    place = _place(clause.place, clause.verb.preposition) if clause.place else ""
    return " ".join(word for word in (clause.verb.past, target, place) if word)


@singledispatch
def _say(meaning: Meaning) -> str:
    raise TypeError(f"no English for {type(meaning).__name__}")


@_say.register
def _clause(clause: Clause) -> str:
    subject = undergoer(clause) if clause.passive else clause.subject
    other = clause.subject if clause.passive else clause.object
    words = [phrase(subject), _finite(clause, subject)]
    if other is not None:
        words.append(("by " if clause.passive else "") + phrase(other, objective=True))
    return _order(clause, words)


def _order(clause: Clause, words: list[str], asked: str = "") -> str:
    words = list(words)
    if clause.place is not None and asked != "place":
        words.append(_place(clause.place, clause.verb.preposition))
    if clause.time is not None and asked != "time":
        words.insert(0, f"{clause.time.english},") if clause.time_first else words.append(clause.time.english)
    if clause.reason is not None and asked != "reason":
        words.append(f"because {_say(clause.reason)}")
    return " ".join(word for word in words if word)


@_say.register
def _being(being: Being) -> str:
    said = being.predicate
    if isinstance(said, Phrase):
        complement = phrase(said)
    else:
        noun = being.subject.noun if isinstance(being.subject, Phrase) else None
        complement = adjective(said, noun) if noun else said.english_upright or said.english
    negation = "not" if being.negative else ""
    place = f"from {being.place.text}" if being.place else ""
    words = (phrase(being.subject), _be(being.subject, being.past), negation, complement, place)
    return " ".join(word for word in words if word)


@_say.register
def _having(having: Having) -> str:
    verb = "had" if having.past else _have(having.subject)
    return f"{phrase(having.subject)} {verb} {phrase(having.object)}"


@_say.register
def _existing(existing: Existing) -> str:
    time = existing.time.english if existing.time else ""
    verb = _be(existing.subject, existing.past)
    return f"there {verb} {phrase(existing.subject)} {_place(existing.place)} {time}".strip()


@_say.register
def _joined(joined: Joined) -> str:
    return f"{_say(joined.first)} {_LINKS[joined.link]} {_say(joined.second)}"


@_say.register
def _question(question: Question) -> str:
    clause, asked = question.clause, question.asked
    if asked == "subject":
        return _who(clause)
    auxiliary, main = predicate(clause.verb, clause.tense, clause.subject)
    negation = "not" if clause.negative else ""
    moved = [auxiliary, phrase(clause.subject), negation, main]
    target = phrase(clause.object, objective=True) if clause.object else ""
    if asked == "object":
        living = isinstance(clause.object, Phrase) and clause.object.noun.animate
        return _order(clause, ["who" if living else "what", *moved], asked)
    if asked == "count":
        counted = noun_phrase(clause.object)
        described = [adjective(counted.adjective, counted.noun)] if counted.adjective else []
        return _order(clause, ["how many", *described, counted.noun.english_plural, *moved])
    opening = {"place": "where", "time": "when", "reason": "why", "truth": ""}[asked]
    return _order(clause, [opening, *moved, target], asked)


def _who(clause: Clause) -> str:
    target = phrase(clause.object, objective=True) if clause.object else ""
    anyone = Pronoun("he", 1)
    if clause.passive:
        subject = undergoer(clause)
        auxiliary, main = predicate(clause.verb, clause.tense, subject, passive=True)
        return _order(clause, [f"by whom {auxiliary}", phrase(subject), main])
    auxiliary, main = predicate(clause.verb, clause.tense, anyone)
    return _order(clause, ["who", _finite(clause, anyone), target])
