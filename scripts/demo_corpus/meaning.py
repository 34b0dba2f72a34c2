"""What a demo sentence means, before any language says it: words, phrases, clauses, questions.

One meaning is rendered twice, by ``swahili.render`` and by ``english.render``; nothing here knows a grammar.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from typing import Literal

Tense = Literal["present", "past", "future", "perfect", "habitual"]
Determiner = Literal["", "a", "the", "this", "that", "all", "my", "your", "his", "her", "our", "their"]
Concord = Literal["prefix", "bare", "associative"]
Link = Literal["then", "but", "because"]
Asked = Literal["subject", "object", "place", "time", "count", "reason", "truth"]


@dataclass(frozen=True)
class Noun:
    """A noun of both languages; ``classes`` are its Bantu noun classes, singular and plural."""

    singular: str
    plural: str
    classes: tuple[int, int]
    english: str
    english_plural: str
    tags: tuple[str, ...]
    preposition: str = ""

    @property
    def mass(self) -> bool:
        """Whether it is not counted in English (water, honey)."""
        return not self.english_plural

    @property
    def animate(self) -> bool:
        """Whether it agrees as a living being, whatever its class."""
        return "person" in self.tags or "animal" in self.tags


@dataclass(frozen=True)
class Adjective:
    """An adjective; ``concord`` says whether the Swahili stem takes a prefix, nothing, or the associative -a."""

    stem: str
    english: str
    concord: Concord
    tags: tuple[str, ...]
    english_upright: str = ""


@dataclass(frozen=True)
class Verb:
    """A verb and the tags of the nouns it accepts; no ``objects`` makes it intransitive.

    ``tail`` is what follows the stem (fanya *kazi*), ``preposition`` the English one that a verb of motion
    imposes on places.
    """

    stem: str
    english: str
    past: str
    participle: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    stative: bool = False
    tail: str = ""
    preposition: str = ""


@dataclass(frozen=True)
class Name:
    """A person's name, the same in both languages, with its English pronoun."""

    text: str
    pronoun: str


@dataclass(frozen=True)
class Town:
    """A town or region, the same in both languages."""

    text: str


@dataclass(frozen=True)
class Time:
    """A time expression and the tenses it goes with."""

    swahili: str
    english: str
    tenses: tuple[str, ...]


@dataclass(frozen=True)
class Pronoun:
    """A personal pronoun: its English subject form, and the class or person Swahili agrees with."""

    english: str
    agreement: int | str


@dataclass(frozen=True)
class Phrase:
    """A noun phrase; ``relative`` is a clause whose subject is the phrase itself."""

    noun: Noun
    plural: bool = False
    determiner: Determiner = "the"
    adjective: Adjective | None = None
    number: int | None = None
    owner: "Phrase | Name | None" = None
    relative: "Clause | None" = None


Participant = Phrase | Name | Pronoun


def noun_phrase(of: Participant | None) -> Phrase:
    """A participant that is a noun phrase, as that type.

    Raises:
        TypeError: it is another.
    """
    if not isinstance(of, Phrase):
        raise TypeError(f"{of!r} is no noun phrase")
    return of


@dataclass(frozen=True)
class Clause:
    """Somebody does something; ``marked`` asks for a Swahili object prefix beside a full object."""

    subject: Participant
    verb: Verb
    tense: Tense = "past"
    object: Participant | None = None
    place: Phrase | Town | None = None
    time: Time | None = None
    reason: "Clause | None" = None
    negative: bool = False
    passive: bool = False
    marked: bool = False
    time_first: bool = False


def undergoer(clause: Clause) -> Participant:
    """The object of a clause that has one, which is the subject of a passive sentence.

    Raises:
        TypeError: it has none.
    """
    if clause.object is None:
        raise TypeError(f"{clause!r} has no object")
    return clause.object


@dataclass(frozen=True)
class Being:
    """Somebody or something is (was) something."""

    subject: Participant
    predicate: Adjective | Phrase
    past: bool = False
    negative: bool = False
    place: Town | None = None


@dataclass(frozen=True)
class Having:
    """Somebody has something."""

    subject: Participant
    object: Phrase
    past: bool = False


@dataclass(frozen=True)
class Existing:
    """There is (was) something somewhere."""

    subject: Phrase
    place: Phrase | Town
    past: bool = False
    time: Time | None = None


@dataclass(frozen=True)
class Joined:
    """Two clauses and what joins them."""

    first: Clause
    second: Clause
    link: Link


@dataclass(frozen=True)
class Question:
    """A clause with one role asked for; ``focused`` prefers 'it is who that ...' in Swahili."""

    clause: Clause
    asked: Asked
    focused: bool = False


Meaning = Clause | Being | Having | Existing | Joined | Question


def lemmas(meaning: object) -> Iterator[Noun | Verb | Adjective]:
    """Every content word of a meaning, in order, the asked-for role of a question left out."""
    if isinstance(meaning, Noun | Verb | Adjective):
        yield meaning
    elif isinstance(meaning, Question):
        for part in fields(meaning.clause):
            if part.name != meaning.asked:
                yield from lemmas(getattr(meaning.clause, part.name))
    elif is_dataclass(meaning):
        for part in fields(meaning):
            yield from lemmas(getattr(meaning, part.name))
