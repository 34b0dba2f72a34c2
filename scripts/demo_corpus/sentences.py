"""Random meanings that make sense: who can do what to what, where and when."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import cast

from scripts.demo_corpus import lexicon
from scripts.demo_corpus.chance import Chance
from scripts.demo_corpus.meaning import (
    Adjective,
    Asked,
    Being,
    Clause,
    Determiner,
    Existing,
    Having,
    Joined,
    Link,
    Meaning,
    Noun,
    Participant,
    Phrase,
    Pronoun,
    Question,
    Tense,
    Time,
    Town,
    Verb,
    noun_phrase,
)

_TENSES: tuple[Tense, ...] = ("past", "past", "past", "present", "future", "perfect", "habitual")
_PRONOUNS = (
    Pronoun("I", "1s"),
    Pronoun("you", "2s"),
    Pronoun("he", 1),
    Pronoun("she", 1),
    Pronoun("we", "1p"),
    Pronoun("they", 2),
)
_POINTING: tuple[Determiner, ...] = ("this", "that", "all")
_POSSESSIVES: tuple[Determiner, ...] = ("my", "your", "his", "her", "our", "their")
_DESCRIBED = ("person", "animal", "food", "thing", "building", "land", "vehicle", "cloth", "plant")
_OWNED = ("thing", "cloth", "text", "vehicle", "animal", "food", "building")


@cache
def nouns_with(tags: tuple[str, ...]) -> tuple[Noun, ...]:
    """Every noun that carries one of the tags."""
    return tuple(noun for noun in lexicon.nouns() if any(tag in noun.tags for tag in tags))


@cache
def adjectives_for(tags: tuple[str, ...]) -> tuple[Adjective, ...]:
    """Every adjective that may describe a noun with these tags."""
    return tuple(word for word in lexicon.adjectives() if any(tag in word.tags for tag in tags))


@cache
def transitive_verbs() -> tuple[Verb, ...]:
    """Every verb that takes an object."""
    return tuple(verb for verb in lexicon.verbs() if verb.objects)


@cache
def _verbs_of(tags: tuple[str, ...]) -> tuple[Verb, ...]:
    return tuple(verb for verb in lexicon.verbs() if any(tag in tags for tag in verb.subjects))


@cache
def _times_for(tense: Tense) -> tuple[Time, ...]:
    return tuple(time for time in lexicon.times() if tense in time.tenses)


def adjective(chance: Chance, noun: Noun) -> Adjective | None:
    """An adjective that may describe the noun, if there is one."""
    fitting = adjectives_for(noun.tags)
    return chance.deal(("adjective", noun.tags), fitting) if fitting else None


def phrase(chance: Chance, tags: tuple[str, ...], described: float = 0.5) -> Phrase:
    """A noun phrase whose noun carries one of the tags.

    Args:
        chance: the source of choices.
        tags: what the verb accepts here.
        described: probability of an adjective.
    """
    noun = chance.deal(("noun", tags), nouns_with(tags))
    plural = not noun.mass and chance.happens(0.3)
    number = 2 + chance.below(9) if plural and chance.happens(0.4) else None
    word = adjective(chance, noun) if chance.happens(described) else None
    articles: tuple[Determiner, ...] = ("the", "the", "a")
    determiner: Determiner = "my" if "kin" in noun.tags else chance.pick(articles)
    if determiner == "my" or (not noun.animate and chance.happens(0.1)):
        determiner = chance.pick(_POSSESSIVES)
    elif chance.happens(0.12):
        determiner = chance.pick(_POINTING if plural and number is None else _POINTING[:2])
    return Phrase(noun, plural, determiner, word, number)


def place(chance: Chance, towns: float = 0.35) -> Phrase | Town:
    """A town, or a place such as 'at the market', 'in the big garden'."""
    if chance.happens(towns):
        return chance.deal("town", lexicon.towns())
    noun = chance.deal("place", nouns_with(("place",)))
    return Phrase(noun, adjective=adjective(chance, noun) if chance.happens(0.3) else None)


def time(chance: Chance, tense: Tense) -> Time:
    """A time expression that goes with the tense."""
    return chance.deal(("time", tense), _times_for(tense))


def clause(chance: Chance, verb: Verb | None = None, tense: Tense | None = None, described: float = 0.5) -> Clause:
    """A random clause with an object if its verb takes one, and no adjuncts."""
    verb = verb or chance.deal("verb", lexicon.verbs())
    when: Tense = chance.pick(_TENSES) if tense is None else tense
    target = phrase(chance, verb.objects, described) if verb.objects else None
    return Clause(phrase(chance, verb.subjects, described), verb, when, target)


def with_adjuncts(chance: Chance, plain: Clause, places: float = 0.35, times: float = 0.35) -> Clause:
    """The clause with a place, a time, both or neither."""
    if plain.verb.stative and plain.object is not None:
        return plain
    where = place(chance) if chance.happens(places) and not _is_place(plain.object) else None
    when = time(chance, plain.tense) if chance.happens(times) and plain.tense != "perfect" else None
    return replace(plain, place=where, time=when, time_first=when is not None and chance.happens(0.3))


def _is_place(of: Participant | None) -> bool:
    return isinstance(of, Phrase) and "place" in of.noun.tags


def _statement(chance: Chance) -> Clause:
    said = with_adjuncts(chance, clause(chance))
    if "person" in said.verb.subjects and said.tense != "habitual":
        said = replace(said, subject=_someone(chance, said.subject))
    if isinstance(said.object, Phrase) and not said.object.noun.animate and said.object.determiner != "a":
        said = replace(said, marked=chance.happens(0.3))
    return replace(said, negative=said.tense != "habitual" and chance.happens(0.2))


def _someone(chance: Chance, subject: Participant) -> Participant:
    roll = chance.below(10)
    if roll == 0:
        return chance.deal("pronoun", _PRONOUNS)
    return chance.deal("name", lexicon.names()) if roll == 1 else subject


def _pronoun_object(chance: Chance) -> Clause:
    said = clause(chance, chance.deal("transitive", transitive_verbs()), "past")
    target = noun_phrase(said.object)
    living = target.noun.animate
    if target.plural:
        return replace(said, object=Pronoun("they", 2 if living else target.noun.classes[1]))
    if living:
        return replace(said, object=Pronoun(chance.pick(("he", "she")), 1))
    return replace(said, object=Pronoun("it", target.noun.classes[0]))


def _passive(chance: Chance) -> Clause:
    verbs = tuple(verb for verb in transitive_verbs() if not verb.stative)
    said = clause(chance, chance.deal("passive", verbs), chance.pick(("past", "past", "future", "perfect")))
    return replace(with_adjuncts(chance, said, places=0.2, times=0.2), passive=True)


def _owned(chance: Chance) -> Meaning:
    said = clause(chance, chance.deal("transitive", transitive_verbs()), "past")
    owned = noun_phrase(said.object)
    if any(tag in _OWNED for tag in owned.noun.tags) and not owned.noun.animate:
        owner = _someone(chance, replace(phrase(chance, ("person",), 0.2), determiner="the", number=None))
        owner = chance.deal("name", lexicon.names()) if isinstance(owner, Pronoun) else owner
        said = replace(said, object=replace(owned, determiner="the", owner=owner))
    return said


def _relative(chance: Chance) -> Clause:
    said = clause(chance, tense="past", described=0.3)
    subject = noun_phrase(said.subject)
    tags = subject.noun.tags
    inner = clause(chance, chance.deal(("relative", tags), _verbs_of(tags)), "past", described=0.3)
    determiner: Determiner = subject.determiner if "kin" in tags else "the"
    return replace(said, subject=replace(subject, determiner=determiner, number=None, relative=inner))


def _being(chance: Chance) -> Being:
    past, negative = chance.happens(0.3), chance.happens(0.2)
    if chance.happens(0.3):
        role = replace(phrase(chance, ("person",)), plural=False, number=None, determiner="a")
        town = chance.deal("town", lexicon.towns()) if chance.happens(0.4) else None
        return Being(chance.deal("name", lexicon.names()), role, past, negative, town)
    subject = phrase(chance, _DESCRIBED, 0.1)
    subject = replace(subject, determiner="the" if subject.determiner == "a" else subject.determiner)
    described = cast(Adjective, adjective(chance, subject.noun))  # there is one for each of these tags
    return Being(subject, described, past, negative)


def _having(chance: Chance) -> Having:
    if chance.happens(0.3):
        body = chance.deal("body", nouns_with(("body",)))
        held = Phrase(body, plural=True, determiner="", adjective=adjective(chance, body))
        return Having(replace(phrase(chance, ("animal",), 0.2), number=None), held, chance.happens(0.3))
    held = replace(phrase(chance, ("thing", "animal", "vehicle", "cloth", "text")), determiner="a")
    return Having(_someone(chance, phrase(chance, ("person",))), held, chance.happens(0.3))


def _existing(chance: Chance) -> Existing:
    past = chance.happens(0.5)
    subject = phrase(chance, ("event", "plant", "building"))
    when = time(chance, "past") if past and chance.happens(0.4) else None
    return Existing(replace(subject, determiner="a"), place(chance), past, when)


def _joined(chance: Chance) -> Joined:
    links: tuple[Link, ...] = ("then", "but", "because")
    link = chance.pick(links)
    return Joined(clause(chance, tense="past", described=0.3), clause(chance, tense="past", described=0.3), link)


def question_about(chance: Chance, said: Clause) -> Question:
    """A question that asks for one role of the clause, chosen among those it has."""
    choices: list[Asked] = ["truth"]
    if isinstance(said.subject, Phrase) and "person" in said.subject.noun.tags:
        choices += ["subject", "subject"]
    if isinstance(said.object, Phrase):
        choices += ["object"]
        if said.object.plural:
            choices += ["count", "count", "count"]
    choices += ["place", "place"] if said.place else []
    choices += ["time", "time"] if said.time else []
    choices += ["reason"] if said.object is None else []
    asked = chance.pick(choices)
    passive = asked == "subject" and said.object is not None and not said.verb.stative and chance.happens(0.25)
    return Question(replace(said, time_first=False, passive=passive), asked, focused=chance.happens(0.5))


def _question(chance: Chance) -> Question:
    return question_about(chance, with_adjuncts(chance, clause(chance, tense=chance.pick(("past", "past", "future")))))


_KINDS: tuple[tuple[int, Callable[[Chance], Meaning]], ...] = (
    (27, _statement),
    (4, _pronoun_object),
    (10, _passive),
    (7, _owned),
    (7, _relative),
    (8, _being),
    (4, _having),
    (7, _existing),
    (6, _joined),
    (20, _question),
)


def sentence(chance: Chance) -> Meaning:
    """One random meaning; the table above gives how many of each hundred are of which kind."""
    kinds = [kind for share, kind in _KINDS for _ in range(share)]
    return chance.deal("kind", kinds)(chance)
