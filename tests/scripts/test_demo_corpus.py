"""The generator of the demo corpus: Swahili morphology by hand, English by hand, and the promises of the files."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.registry.families.demo import ARCHIVE
from scripts.demo_corpus import corpus, english, lexicon, sentences, swahili, world
from scripts.demo_corpus.__main__ import pack
from scripts.demo_corpus.chance import Chance
from scripts.demo_corpus.corpus import FILES, write
from scripts.demo_corpus.meaning import Being, Clause, Having, Name, Phrase, Pronoun, Question, Time, Town, lemmas
from scripts.demo_corpus.morphology import (
    CONCORDS,
    adjective_form,
    conjugate,
    noun_class,
    numeral_form,
    passive_stem,
    prefixed,
)
from scripts.demo_corpus.world import Match

NOUNS = {noun.singular: noun for noun in lexicon.nouns()}
ADJECTIVES = {adjective.stem: adjective for adjective in lexicon.adjectives()}
VERBS = {verb.stem: verb for verb in lexicon.verbs()}
TIMES = {time.swahili: time for time in lexicon.times()}
TEACHER = Phrase(NOUNS["mwalimu"])
BOOK = Phrase(NOUNS["kitabu"])
BRIDGE = Phrase(NOUNS["daraja"], adjective=ADJECTIVES["zamani"])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("demo")
    write(path)
    return path


@pytest.fixture(scope="module")
def passages() -> list[world.Passage]:
    return corpus.collection(Chance(0))


@pytest.fixture(scope="module")
def topics(passages: list[world.Passage]) -> list[corpus.Topic]:
    return corpus.choose_topics(Chance(1), passages)


def rows(path: Path, separator: str = "\t") -> list[list[str]]:
    return [line.split(separator) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize(
    ("noun", "plural", "adjective", "said"),
    [
        ("kitabu", False, "zuri", "kitabu kizuri"),
        ("kitabu", True, "zuri", "vitabu vizuri"),
        ("kiti", True, "kubwa", "viti vikubwa"),
        ("mtoto", False, "fupi", "mtoto mfupi"),
        ("mtoto", True, "ema", "watoto wema"),
        ("mti", False, "refu", "mti mrefu"),
        ("mti", True, "refu", "miti mirefu"),
        ("mti", True, "eusi", "miti myeusi"),
        ("shati", False, "eupe", "shati jeupe"),
        ("shati", True, "eupe", "mashati meupe"),
        ("kikombe", False, "eupe", "kikombe cheupe"),
        ("kikombe", True, "ekundu", "vikombe vyekundu"),
        ("duka", False, "pya", "duka jipya"),
        ("nyumba", False, "pya", "nyumba mpya"),
        ("nyumba", True, "refu", "nyumba ndefu"),
        ("nyumba", False, "dogo", "nyumba ndogo"),
        ("meza", False, "eupe", "meza nyeupe"),
        ("barua", False, "baya", "barua mbaya"),
        ("kofia", True, "ingine", "kofia nyingine"),
        ("gauni", True, "ingine", "magauni mengine"),
        ("ufunguo", False, "refu", "ufunguo mrefu"),
        ("ufunguo", True, "fupi", "funguo fupi"),
        ("ukuta", True, "refu", "kuta ndefu"),
        ("jicho", True, "dogo", "macho madogo"),
        ("simba", False, "kali", "simba mkali"),
        ("daktari", True, "refu", "madaktari warefu"),
        ("kiongozi", False, "hodari", "kiongozi hodari"),
        ("daraja", False, "zamani", "daraja la zamani"),
        ("kiwanda", True, "kisasa", "viwanda vya kisasa"),
    ],
)
def test_adjectives_agree(noun: str, plural: bool, adjective: str, said: str) -> None:
    assert swahili.phrase(Phrase(NOUNS[noun], plural, adjective=ADJECTIVES[adjective])) == said


@pytest.mark.parametrize(
    ("verb", "tense", "agreement", "options", "said"),
    [
        ("soma", "present", 1, {}, "anasoma"),
        ("soma", "past", 2, {}, "walisoma"),
        ("soma", "future", "1s", {}, "nitasoma"),
        ("soma", "perfect", "2s", {}, "umesoma"),
        ("soma", "habitual", 1, {}, "husoma"),
        ("soma", "present", 1, {"negative": True}, "hasomi"),
        ("soma", "past", 1, {"negative": True}, "hakusoma"),
        ("soma", "past", "1s", {"negative": True}, "sikusoma"),
        ("soma", "past", "2s", {"negative": True}, "hukusoma"),
        ("soma", "future", 2, {"negative": True}, "hawatasoma"),
        ("soma", "perfect", 1, {"negative": True}, "hajasoma"),
        ("anguka", "past", 3, {"negative": True}, "haukuanguka"),
        ("rudi", "present", 1, {"negative": True}, "harudi"),
        ("soma", "past", 1, {"marker": 7}, "alikisoma"),
        ("ona", "past", 1, {"marker": 1}, "alimwona"),
        ("ona", "past", "1s", {"marker": "2s"}, "nilikuona"),
        ("penda", "present", 2, {"marker": 1}, "wanampenda"),
        ("la", "past", 1, {}, "alikula"),
        ("la", "past", 1, {"marker": 5}, "alilila"),
        ("la", "present", 1, {"negative": True}, "hali"),
        ("la", "past", 1, {"negative": True}, "hakula"),
        ("ja", "future", 1, {"negative": True}, "hatakuja"),
        ("ja", "perfect", 1, {"negative": True}, "hajaja"),
        ("fanya", "past", 1, {}, "alifanya kazi"),
        ("jenga", "past", 5, {"passive": True}, "lilijengwa"),
    ],
)
def test_verbs_conjugate(verb: str, tense: str, agreement: int | str, options: dict, said: str) -> None:
    assert conjugate(VERBS[verb], tense, agreement, **options) == said


@pytest.mark.parametrize(
    ("stem", "passive"),
    [("jenga", "jengwa"), ("nunua", "nunuliwa"), ("pokea", "pokewa"), ("saidia", "saidiwa"), ("la", "liwa"),
     ("nywa", "nywewa"), ("vaa", "valiwa"), ("sahau", "sahauliwa"), ("chagua", "chaguliwa")],
)  # fmt: skip
def test_passives(stem: str, passive: str) -> None:
    assert passive_stem(stem) == passive


@pytest.mark.parametrize(
    ("stem", "agreement", "said"),
    [("ema", 9, "njema"), ("pya", 5, "jipya"), ("wili", 10, "mbili"), ("ingi", 6, "mengi"), ("ingi", 2, "wengi"),
     ("ingine", 4, "mingine"), ("ingine", 7, "kingine"), ("ingine", 5, "jingine"), ("ngapi", 10, "ngapi")],
)  # fmt: skip
def test_prefixes_meet_stems(stem: str, agreement: int, said: str) -> None:
    assert prefixed(stem, agreement) == said


def test_numerals_agree_up_to_five_and_eight() -> None:
    assert [numeral_form(2, agreement) for agreement in (2, 4, 6, 8, 10)] == [
        "wawili", "miwili", "mawili", "viwili", "mbili",
    ]  # fmt: skip
    assert [numeral_form(number, 8) for number in (3, 6, 7, 8, 9, 10)] == [
        "vitatu", "sita", "saba", "vinane", "tisa", "kumi",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("meaning", "in_swahili", "in_english"),
    [
        (
            Clause(TEACHER, VERBS["soma"], object=BOOK, marked=True),
            "Mwalimu alikisoma kitabu.",
            "The teacher read the book.",
        ),
        (
            Clause(Phrase(NOUNS["mti"], True, adjective=ADJECTIVES["refu"], number=2, owner=TEACHER), VERBS["anguka"]),
            "Miti mirefu miwili ya mwalimu ilianguka.",
            "The two tall trees of the teacher fell.",
        ),
        (
            Clause(Pronoun("I", "1s"), VERBS["ona"], "perfect", Phrase(NOUNS["rafiki"], determiner="your")),
            "Nimemwona rafiki yako.",
            "I have seen your friend.",
        ),
        (
            Clause(TEACHER, VERBS["tafuta"], "present", Phrase(NOUNS["yai"], determiner="a"), negative=True),
            "Mwalimu hatafuti yai.",
            "The teacher is not looking for an egg.",
        ),
        (
            Clause(TEACHER, VERBS["jenga"], object=BRIDGE, passive=True, place=Town("Mwanza")),
            "Daraja la zamani lilijengwa na mwalimu huko Mwanza.",
            "The old bridge was built by the teacher in Mwanza.",
        ),
        (
            Clause(TEACHER, VERBS["rudi"], place=Phrase(NOUNS["kijiji"]), time=TIMES["jana"], time_first=True),
            "Jana, mwalimu alirudi kijijini.",
            "Yesterday, the teacher returned to the village.",
        ),
        (
            Clause(Phrase(NOUNS["mtoto"], relative=Clause(TEACHER, VERBS["la"], object=BOOK)), VERBS["lia"]),
            "Mtoto aliyekula kitabu alilia.",
            "The child who ate the book cried.",
        ),
        (
            Being(Phrase(NOUNS["nyumba"], True, "this"), ADJECTIVES["kubwa"], negative=True),
            "Nyumba hizi si kubwa.",
            "These houses are not big.",
        ),
        (
            Being(Name("Juma", "he"), replace(TEACHER, determiner="a"), past=True, place=Town("Tanga")),
            "Juma alikuwa mwalimu wa Tanga.",
            "Juma was a teacher from Tanga.",
        ),
        (
            Having(Phrase(NOUNS["paka"], determiner="that"), Phrase(NOUNS["jicho"], True, "")),
            "Paka yule ana macho.",
            "That cat has eyes.",
        ),
        (
            Question(Clause(TEACHER, VERBS["jenga"], object=BRIDGE, place=Town("Mwanza")), "subject"),
            "Nani alijenga daraja la zamani huko Mwanza?",
            "Who built the old bridge in Mwanza?",
        ),
        (
            Question(Clause(TEACHER, VERBS["jenga"], object=BRIDGE), "subject", focused=True),
            "Ni nani aliyejenga daraja la zamani?",
            "Who built the old bridge?",
        ),
        (
            Question(Clause(TEACHER, VERBS["jenga"], object=BRIDGE, passive=True), "subject"),
            "Daraja la zamani lilijengwa na nani?",
            "By whom was the old bridge built?",
        ),
        (
            Question(Clause(TEACHER, VERBS["nunua"], object=Phrase(NOUNS["kiti"], True, number=4)), "count"),
            "Mwalimu alinunua viti vingapi?",
            "How many chairs did the teacher buy?",
        ),
        (
            Question(Clause(TEACHER, VERBS["uza"], "future", BOOK), "object"),
            "Mwalimu atauza nini?",
            "What will the teacher sell?",
        ),
        (
            Question(Clause(TEACHER, VERBS["uza"], object=BOOK, place=Town("Tanga")), "place"),
            "Mwalimu aliuza kitabu wapi?",
            "Where did the teacher sell the book?",
        ),
        (
            Question(Clause(TEACHER, VERBS["cheka"], time=TIMES["jana"]), "time"),
            "Mwalimu alicheka lini?",
            "When did the teacher laugh?",
        ),
        (
            Question(Clause(TEACHER, VERBS["cheka"]), "reason"),
            "Kwa nini mwalimu alicheka?",
            "Why did the teacher laugh?",
        ),
        (
            Question(Clause(TEACHER, VERBS["cheka"], "perfect"), "truth"),
            "Je, mwalimu amecheka?",
            "Has the teacher laughed?",
        ),
    ],
)
def test_sentences_by_hand(meaning: object, in_swahili: str, in_english: str) -> None:
    assert (swahili.render(meaning), english.render(meaning)) == (in_swahili, in_english)


def test_the_tables_are_whole() -> None:
    tables = (lexicon.nouns, lexicon.verbs, lexicon.adjectives, lexicon.names, lexicon.towns)
    counts = [len(table()) for table in tables]
    assert all(count >= least for count, least in zip(counts, (120, 55, 30, 30, 30), strict=True))
    assert len(NOUNS) == counts[0]
    assert len(VERBS) == counts[1]
    for noun in lexicon.nouns():
        for plural in (False, True):
            for adjective in sentences.adjectives_for(noun.tags):
                assert adjective_form(adjective, noun_class(noun, plural))
    assert all(agreement in CONCORDS for noun in lexicon.nouns() for agreement in noun.classes)


def test_a_question_is_matched_by_meaning() -> None:
    fact = Clause(TEACHER, VERBS["jenga"], object=BRIDGE)
    who = Question(fact, "subject")
    assert world.match(who, fact) is Match.STATED
    assert world.match(who, replace(fact, subject=Phrase(NOUNS["mfalme"]))) is Match.STATED
    assert world.match(who, replace(fact, object=Phrase(NOUNS["daraja"]))) is Match.OPEN
    assert world.match(who, replace(fact, object=replace(BRIDGE, adjective=ADJECTIVES["pya"]))) is Match.DIFFERENT
    assert world.match(who, replace(fact, verb=VERBS["vunja"])) is Match.DIFFERENT
    assert world.match(Question(replace(fact, time=TIMES["jana"]), "time"), fact) is Match.OPEN


def test_two_writes_are_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "again")
    write(tmp_path / "other", seed=1, pairs=50)
    for name in FILES:
        first = (folder / name).read_bytes()
        assert first == (tmp_path / "again" / name).read_bytes()
        assert first != (tmp_path / "other" / name).read_bytes()
        assert b"\r" not in first
        assert first.endswith(b"\n")


def test_counts_and_sides(folder: Path) -> None:
    source, target = rows(folder / "bitext.swa"), rows(folder / "bitext.eng")
    assert len(source) == len(target) == 6000
    assert len({line[0] for line in source}) == 6000
    assert len(rows(folder / "passages.tsv")) == 400
    assert len(rows(folder / "topics.tsv")) == 200
    assert len(rows(folder / "questions.tsv")) == 3000
    sizes = [len(re.findall(r"[.?]", passage)) for _, passage in rows(folder / "passages.tsv")]
    assert min(sizes) >= 3
    assert max(sizes) <= 5


def test_nothing_leaks(folder: Path) -> None:
    topics = rows(folder / "topics.tsv")
    passages = {passage for _, passage in rows(folder / "passages.tsv")}
    assert not {query for _, query, _ in topics} & set((folder / "bitext.swa").read_text().splitlines())
    asked = {query for *_, query in topics}
    assert not asked & set((folder / "bitext.eng").read_text().splitlines())
    questions = rows(folder / "questions.tsv")
    assert not asked & {question for question, _ in questions}
    assert not passages & {passage for _, passage in questions}


def test_training_stays_clear_of_the_test_collection(
    passages: list[world.Passage], topics: list[corpus.Topic], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test collection is offered again: each rule must refuse what it is there to refuse.
    fresh = world.passage

    def trained(topics: list[corpus.Topic], known: list[world.Passage]) -> set[str]:
        offered = iter(passages)
        monkeypatch.setattr(world, "passage", lambda chance: next(offered, None) or fresh(chance))
        return {text for _, text in corpus.training_questions(Chance(9), topics, known)}

    texts = {passage.text for passage in passages}
    relevant = {passages[hit].text for topic in topics for hit in topic.relevant}
    assert not texts & trained([], passages)
    assert not relevant & trained(topics, [])
    assert texts & trained(topics, [])


def test_few_topics_name_names(folder: Path) -> None:
    named = {name.text for name in lexicon.names()} | {town.text for town in lexicon.towns()}
    queries = [query for _, query, _ in rows(folder / "topics.tsv")]
    naming = [query for query in queries if named & set(re.findall(r"\w+", query))]
    assert 0 < len(naming) <= len(queries) / 3


def test_the_town_share_is_a_limit(passages: list[world.Passage]) -> None:
    clauses = [topic.question for topic in corpus.choose_topics(Chance(1), passages, town_share=0)]
    assert not any(isinstance(question.clause.place, Town) for question in clauses if question.asked != "place")


def test_topics_are_answered_by_their_qrels_and_by_nothing_else(
    folder: Path, passages: list[world.Passage], topics: list[corpus.Topic]
) -> None:
    texts = dict(rows(folder / "passages.tsv"))
    assert list(texts.values()) == [passage.text for passage in passages]
    for topic in topics:
        best = [max(world.match(topic.question, fact) for fact in passage.stated) for passage in passages]
        assert tuple(at for at, found in enumerate(best) if found is Match.STATED) == topic.relevant
        assert Match.OPEN not in best
    judged = [(qid, docid) for qid, _, docid, _ in rows(folder / "qrels.txt", " ")]
    assert judged == [(f"q{at}", f"d{hit}") for at, topic in enumerate(topics) for hit in topic.relevant]
    assert {qid for qid, _ in judged} == {qid for qid, *_ in rows(folder / "topics.tsv")}
    for topic in topics:
        for hit in topic.relevant:
            assert _answer(topic.question, passages[hit]) in texts[f"d{hit}"].lower()


def _answer(question: Question, passage: world.Passage) -> str:
    fact = next(fact for fact in passage.stated if world.match(question, fact) is Match.STATED)
    given = getattr(fact, "object" if question.asked == "count" else question.asked)
    if isinstance(given, Phrase):
        return (given.noun.english_plural if given.plural else given.noun.english).lower()
    if isinstance(given, Clause):
        return f"because {english.render(given)[:-1]}".lower()
    return (given.english if isinstance(given, Time) else given.text).lower()


def test_the_bitext_teaches_every_topic_word(folder: Path, topics: list[corpus.Topic]) -> None:
    seen: Counter = Counter()
    chance = Chance(2)
    for _ in range(6000):
        seen.update(lemmas(sentences.sentence(chance)))
    needed = {lemma for topic in topics for lemma in lemmas(topic.question)}
    assert len(needed) > 150
    assert min(seen[lemma] for lemma in needed) >= 20
    words = Counter(re.findall(r"[\w']+", (folder / "bitext.swa").read_text().lower()))
    asked = [word for _, query, _ in rows(folder / "topics.tsv") for word in re.findall(r"[\w']+", query.lower())]
    assert sum(words[word] > 0 for word in asked) / len(asked) > 0.9


def test_the_package_contains_exactly_what_the_generator_writes(folder: Path, tmp_path: Path) -> None:
    pack(folder, tmp_path / "demo.zip")
    assert (tmp_path / "demo.zip").read_bytes() == ARCHIVE.read_bytes()
