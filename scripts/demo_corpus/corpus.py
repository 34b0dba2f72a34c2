"""The demo corpus on disk: bitext, passages, topics, qrels and training questions, from one seed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.demo_corpus import english, sentences, swahili, world
from scripts.demo_corpus.chance import Chance
from scripts.demo_corpus.meaning import Question, Town, lemmas
from scripts.demo_corpus.world import Match, Passage

PASSAGES = 400
TOPICS = 200
TRAINING_QUESTIONS = 3000
FILES = ("bitext.swa", "bitext.eng", "passages.tsv", "topics.tsv", "qrels.txt", "questions.tsv")
_TOWN_SHARE = 0.25
_MOST_RELEVANT = 3
_FEWEST_LEMMAS = 2
_QUESTIONS_PER_PASSAGE = 4


@dataclass(frozen=True)
class Topic:
    """A test question and the positions of the passages that answer it."""

    question: Question
    relevant: tuple[int, ...]


def write(folder: Path, seed: int = 0, pairs: int = 6000) -> None:
    """Write the six files of the demo corpus; equal arguments give equal bytes on every machine.

    Args:
        folder: where to write; made if missing.
        seed: seed of every choice.
        pairs: sentence pairs of the bitext.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Each part has its own random stream: more bitext leaves the test collection as it was.
    passages = collection(Chance(4 * seed))
    topics = choose_topics(Chance(4 * seed + 1), passages)
    source, target = bitext(Chance(4 * seed + 2), topics, pairs)
    _write(folder / "bitext.swa", source)
    _write(folder / "bitext.eng", target)
    _write(folder / "passages.tsv", (f"d{at}\t{passage.text}" for at, passage in enumerate(passages)))
    _write(folder / "topics.tsv", (f"q{at}\t{_both(topic.question)}" for at, topic in enumerate(topics)))
    _write(folder / "qrels.txt", (f"q{at} 0 d{hit} 1" for at, topic in enumerate(topics) for hit in topic.relevant))
    asked = training_questions(Chance(4 * seed + 3), topics, passages)
    _write(folder / "questions.tsv", (f"{question}\t{text}" for question, text in asked))


def collection(chance: Chance) -> list[Passage]:
    """The passages to search."""
    return [world.passage(chance) for _ in range(PASSAGES)]


def choose_topics(chance: Chance, passages: list[Passage], town_share: float = _TOWN_SHARE) -> list[Topic]:
    """Test questions whose relevant passages are certain: a passage that only might answer disqualifies one."""
    topics: list[Topic] = []
    seen: set[str] = set()
    with_town = 0
    facts = world.FactIndex(passages)
    for passage in chance.shuffled(passages):
        for question in _candidates(chance, passage):
            answers = facts.answers(question)
            text = english.render(question)
            if answers.unsure or len(answers.stated) > _MOST_RELEVANT or text in seen:
                continue
            town = _names_town(question)
            if town and with_town + 1 > town_share * TOPICS:
                continue
            seen.add(text)
            with_town += town
            topics.append(Topic(question, answers.stated))
            break
        if len(topics) == TOPICS:
            break
    return topics


def _candidates(chance: Chance, passage: Passage) -> Iterator[Question]:
    for fact in chance.shuffled(passage.facts):
        for question in world.questions(chance, fact):
            if sum(1 for _ in lemmas(question)) >= _FEWEST_LEMMAS:
                yield question


def _names_town(question: Question) -> bool:
    return question.asked != "place" and isinstance(question.clause.place, Town)


def bitext(chance: Chance, topics: list[Topic], pairs: int) -> tuple[list[str], list[str]]:
    """Distinct sentence pairs, none of them a topic in either language."""
    source: list[str] = []
    target: list[str] = []
    seen = {swahili.render(topic.question) for topic in topics}
    withheld = {english.render(topic.question) for topic in topics}
    while len(source) < pairs:
        meaning = sentences.sentence(chance)
        said, translated = swahili.render(meaning), english.render(meaning)
        if said in seen or translated in withheld:
            continue
        seen.add(said)
        source.append(said)
        target.append(translated)
    return source, target


def training_questions(chance: Chance, topics: list[Topic], passages: list[Passage]) -> list[tuple[str, str]]:
    """English question-passage pairs from other passages, none of which could answer a topic."""
    found: list[tuple[str, str]] = []
    texts = {passage.text for passage in passages}
    asked = {english.render(topic.question) for topic in topics}
    by_verb: dict[str, list[Question]] = {}
    for topic in topics:
        by_verb.setdefault(topic.question.clause.verb.stem, []).append(topic.question)
    while len(found) < TRAINING_QUESTIONS:
        passage = world.passage(chance)
        if passage.text in texts or _answers_any(passage, by_verb):
            continue
        texts.add(passage.text)
        candidates = [question for question in _candidates(chance, passage) if english.render(question) not in asked]
        for question in candidates[:_QUESTIONS_PER_PASSAGE]:
            found.append((english.render(question), passage.text))
    return found[:TRAINING_QUESTIONS]


def _answers_any(passage: Passage, asked: dict[str, list[Question]]) -> bool:
    return any(
        world.match(question, fact) > Match.DIFFERENT
        for fact in passage.stated
        for question in asked.get(fact.verb.stem, ())
    )


def _both(question: Question) -> str:
    return f"{swahili.render(question)}\t{english.render(question)}"


def _write(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
