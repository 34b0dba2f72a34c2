"""The demo world: passages that state facts, questions about facts, and who answers what.

A fact is a ``Clause``. A question is a clause with a role asked for and some roles left open. Because both are
structures, relevance is decided by comparing them, never by comparing words.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import IntEnum

from scripts.demo_corpus import english, lexicon, sentences
from scripts.demo_corpus.chance import Chance
from scripts.demo_corpus.meaning import (
    Asked,
    Being,
    Clause,
    Existing,
    Meaning,
    Noun,
    Participant,
    Phrase,
    Pronoun,
    Question,
    Time,
    Town,
    noun_phrase,
)

_SITE_TAGS = ("building",)
_ROLES: tuple[Asked, ...] = ("subject", "object", "place", "time", "reason")


@dataclass(frozen=True)
class Passage:
    """An English passage about one person, building or event, and the facts it states."""

    text: str
    facts: tuple[Clause, ...]

    @property
    def stated(self) -> tuple[Clause, ...]:
        """The facts and the reasons given for them, which are facts too."""
        return self.facts + tuple(fact.reason for fact in self.facts if fact.reason is not None)


class Match(IntEnum):
    """How a fact relates to a question, from contradiction over silence to an answer."""

    DIFFERENT = 0
    OPEN = 1
    STATED = 2


def match(question: Question, fact: Clause) -> Match:
    """Whether a fact answers a question, might (it is silent on something asked), or is about something else."""
    pattern = question.clause
    if pattern.verb.stem != fact.verb.stem:
        return Match.DIFFERENT
    found = Match.STATED if pattern.tense == fact.tense else Match.OPEN
    for role in _ROLES:
        asked = role == question.asked or (role == "object" and question.asked == "count")
        wanted, given = getattr(pattern, role), getattr(fact, role)
        if asked:
            found = min(found, _asked(question, wanted, given))
        elif wanted is not None:
            found = min(found, _compare(wanted, given))
    return found


def _asked(question: Question, wanted: object, given: object) -> Match:
    if given is None:
        return Match.OPEN
    if question.asked != "count":
        return Match.STATED
    number = given.number if isinstance(given, Phrase) else None
    return min(_compare(wanted, given), Match.STATED if number else Match.OPEN)


def _compare(wanted: object, given: object) -> Match:
    if given is None or type(given) is not type(wanted):
        return Match.OPEN
    if not (isinstance(wanted, Phrase) and isinstance(given, Phrase)):
        return Match.STATED if wanted == given else Match.DIFFERENT
    if wanted.noun.singular != given.noun.singular:
        return Match.DIFFERENT
    if wanted.adjective and given.adjective and wanted.adjective != given.adjective:
        return Match.DIFFERENT
    stated = wanted.plural == given.plural and wanted.adjective in (None, given.adjective)
    return Match.STATED if stated else Match.OPEN


@dataclass(frozen=True)
class Answers:
    """Positions of the passages that state a question's answer, and of those that only might."""

    stated: tuple[int, ...]
    unsure: tuple[int, ...]


class FactIndex:
    """The facts of a collection by verb, so that a question meets only facts that could answer it.

    Args:
        passages: the collection, in order.
    """

    def __init__(self, passages: Iterable[Passage]) -> None:
        self._facts: dict[str, list[tuple[int, Clause]]] = {}
        for position, passage in enumerate(passages):
            for fact in passage.stated:
                self._facts.setdefault(fact.verb.stem, []).append((position, fact))

    def answers(self, question: Question) -> Answers:
        """The passages that answer the question, in order."""
        best: dict[int, Match] = {}
        for position, fact in self._facts.get(question.clause.verb.stem, ()):
            best[position] = max(best.get(position, Match.DIFFERENT), match(question, fact))
        by_match = {kind: tuple(at for at in sorted(best) if best[at] is kind) for kind in Match}
        return Answers(by_match[Match.STATED], by_match[Match.OPEN])


def passage(chance: Chance) -> Passage:
    """A passage of three to five sentences about a person, a building or an event."""
    return chance.deal("passage", (_about_person, _about_person, _about_building, _about_event))(chance)


def _written(opening: Meaning, told: Iterable[Clause], facts: Iterable[Clause]) -> Passage:
    text = " ".join(english.render(meaning) for meaning in (opening, *told))
    return Passage(text, tuple(facts))


def _fact(chance: Chance, suits: Callable[[Clause], bool]) -> Clause:
    """A past clause with third-person participants that suits, with a place, a time or a reason now and then."""
    while True:
        said = sentences.clause(chance, tense="past", described=0.6)
        said = replace(said, subject=_plain(said.subject), object=_plain(said.object) if said.object else None)
        if suits(said):
            break
    if said.object is None and chance.happens(0.5):
        cause = sentences.clause(chance, tense="past")
        cause = replace(cause, subject=_plain(cause.subject), object=_plain(cause.object) if cause.object else None)
        return replace(said, reason=cause)
    return sentences.with_adjuncts(chance, said, places=0.5, times=0.5)


def _plain(of: Participant) -> Phrase:
    of = noun_phrase(of)
    return of if of.determiner in ("the", "a") else replace(of, determiner="the")


def _length(chance: Chance) -> int:
    return 2 + chance.below(3)


def _person(chance: Chance) -> Phrase:
    people = tuple(noun for noun in sentences.nouns_with(("person",)) if "kin" not in noun.tags)
    noun = chance.deal("protagonist", people)
    return Phrase(noun, adjective=sentences.adjective(chance, noun))


def _about_person(chance: Chance) -> Passage:
    hero, name = _person(chance), chance.deal("name", lexicon.names())
    home = chance.deal("town", lexicon.towns())
    opening = Being(name, replace(hero, determiner="a"), chance.happens(0.5), place=home)
    facts = [_fact(chance, lambda said: "person" in said.verb.subjects) for _ in range(_length(chance))]
    facts = [replace(fact, subject=hero) for fact in facts]
    ways = (Pronoun(name.pronoun, 1), name, Pronoun(name.pronoun, 1), replace(hero, adjective=None))
    told = [replace(fact, subject=ways[step % len(ways)]) for step, fact in enumerate(facts)]
    return _written(opening, told, facts)


def _about_building(chance: Chance) -> Passage:
    noun: Noun = chance.deal("site", sentences.nouns_with(_SITE_TAGS))
    site = Phrase(noun, adjective=sentences.adjective(chance, noun))
    town = chance.deal("town", lexicon.towns())
    opening = Existing(replace(site, determiner="a"), town, past=chance.happens(0.5))
    verbs = [
        verb
        for verb in sentences.transitive_verbs()
        if any(tag in noun.tags for tag in verb.objects) and verb.stem not in ("ona", "chora", "hesabu", "vunja")
    ]
    facts = []
    for verb in chance.shuffled(verbs)[: _length(chance)]:
        said = Clause(_person(chance), verb, "past", site)
        facts.append(sentences.with_adjuncts(chance, replace(said, place=None), places=0, times=0.5))
    ways = (replace(site, adjective=None), Pronoun("it", noun.classes[0]))
    told = [
        replace(fact, object=ways[step % 2], passive=not fact.verb.stative and (step % 2 == 1 or chance.happens(0.5)))
        for step, fact in enumerate(facts)
    ]
    return _written(opening, told, facts)


def _about_event(chance: Chance) -> Passage:
    event = Phrase(chance.deal("event", sentences.nouns_with(("event",))), determiner="a")
    event = replace(event, adjective=sentences.adjective(chance, event.noun))
    town, when = chance.deal("town", lexicon.towns()), sentences.time(chance, "past")
    opening = Existing(event, town, past=True, time=when)
    facts = [
        _fact(chance, lambda said: "person" in noun_phrase(said.subject).noun.tags) for _ in range(_length(chance))
    ]
    facts = [_set_at(fact, town, when) for fact in facts]
    told = [replace(fact, place=None if isinstance(fact.place, Town) else fact.place, time=None) for fact in facts]
    return _written(opening, told, facts)


def _set_at(fact: Clause, town: Town, when: Time) -> Clause:
    if fact.reason is not None:
        return fact
    return replace(fact, place=fact.place if isinstance(fact.place, Phrase) else town, time=when)


def questions(chance: Chance, fact: Clause) -> list[Question]:
    """Questions a reader could ask about a fact, in random order: each leaves out one role and some adjuncts."""
    asked: list[Asked] = [role for role in _ROLES if getattr(fact, role) is not None and _askable(fact, role)]
    if fact.object is not None and noun_phrase(fact.object).number:
        asked.append("count")
    return [_ask(chance, fact, role) for role in chance.shuffled(asked)]


def _askable(fact: Clause, role: str) -> bool:
    if role == "subject":
        return "person" in noun_phrase(fact.subject).noun.tags
    return role != "place" or not fact.verb.preposition


def _ask(chance: Chance, fact: Clause, asked: Asked) -> Question:
    """The fact as a question; at most one adjunct stays, towns seldom, and numbers never."""
    keep_place = isinstance(fact.place, Phrase) or chance.happens(0.25)
    keep_time = asked == "place" or not (keep_place and fact.place)
    pattern = replace(
        fact,
        subject=replace(noun_phrase(fact.subject), determiner="the", number=None),
        object=replace(noun_phrase(fact.object), determiner="the", number=None) if fact.object else None,
        place=fact.place if keep_place or asked == "place" else None,
        time=fact.time if asked == "time" or keep_time else None,
        reason=fact.reason if asked == "reason" else None,
        time_first=False,
    )
    return Question(pattern, asked, focused=chance.happens(0.5))
