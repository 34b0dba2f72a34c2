"""The words of the demo world, parsed once from the tables in ``nouns`` and ``words``."""

from functools import cache

from scripts.demo_corpus.meaning import Adjective, Concord, Name, Noun, Time, Town, Verb
from scripts.demo_corpus.nouns import NOUNS
from scripts.demo_corpus.words import ADJECTIVES, NAMES, TIMES, TOWNS, VERBS


@cache
def nouns() -> tuple[Noun, ...]:
    """Every noun, in table order."""
    found: list[Noun] = []
    tags: tuple[str, ...] = ()
    for line in NOUNS.strip().splitlines():
        if line.startswith("["):
            tags = tuple(line.strip("[]").split())
            continue
        classes, singular, plural, english, english_plural, *preposition = line.split()
        low, high = classes.split("/")
        found.append(
            Noun(
                singular,
                singular if plural == "=" else plural,
                (int(low), int(high)),
                english.replace("-", " "),
                english_plural.replace("-", " ").strip(),
                tags,
                "".join(preposition),
            )
        )
    return tuple(found)


@cache
def adjectives() -> tuple[Adjective, ...]:
    """Every adjective, in table order."""
    concords: dict[str, Concord] = {"-": "prefix", "~": "associative"}
    found = []
    for line in ADJECTIVES.strip().splitlines():
        stem, english, *tags = line.split()
        concord: Concord = concords.get(stem[0], "bare")
        english, _, upright = english.partition("/")
        found.append(Adjective(stem.lstrip("-~"), english, concord, tuple(tags), upright))
    return tuple(found)


@cache
def verbs() -> tuple[Verb, ...]:
    """Every verb, in table order."""
    found = []
    for line in VERBS.strip().splitlines():
        stem, forms, subjects, objects, *flags = (part.strip() for part in line.split(":"))
        stem, _, tail = stem.partition(" ")
        english, past, participle = (form.replace("-", " ") for form in forms.split())
        found.append(
            Verb(
                stem,
                english,
                past,
                participle,
                tuple(subjects.split()),
                tuple(objects.split()),
                stative=flags == ["stative"],
                tail=tail,
                preposition="".join(flag for flag in flags if flag != "stative"),
            )
        )
    return tuple(found)


@cache
def names() -> tuple[Name, ...]:
    """Every personal name, in table order."""
    rows = (line.split(": ") for line in NAMES.strip().splitlines())
    return tuple(Name(text, pronoun) for pronoun, row in rows for text in row.split())


@cache
def towns() -> tuple[Town, ...]:
    """Every town, in table order."""
    return tuple(Town(text) for text in TOWNS.split())


@cache
def times() -> tuple[Time, ...]:
    """Every time expression, in table order."""
    rows = (line.split(": ") for line in TIMES.strip().splitlines())
    return tuple(Time(swahili, english, tuple(tenses.split())) for swahili, english, tenses in rows)
