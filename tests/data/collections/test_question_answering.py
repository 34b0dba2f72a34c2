"""Public collections from their own files, and every text of them that training must not see."""

import json
import os
from pathlib import Path

import pytest

from optical.data.bitext.screen import normalise
from optical.data.collections.held_out import collection_texts
from optical.data.collections.held_out import registered_texts as texts_of
from optical.data.collections.opening import read_collection
from optical.data.collections.records import Collection, Passage, Qrel, Topic
from optical.data.fetch.resolve import resolve
from optical.data.registry.datasets import dataset
from optical.errors import DataError

MIRROR = os.environ.get("OPTICAL_MIRROR")
needs_mirror = pytest.mark.skipif(MIRROR is None, reason="needs the mirror of real data")


def write(folder: Path, **files: str) -> list[Path]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def jsonl(rows: list[dict]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_ntrex_headlines_ask_for_their_articles_in_threes(tmp_path: Path):
    paths = write(tmp_path, a="K1\na\nb\nc\nd\nK2\ne\n", b="H1\nA\nB\nC\nD\nH2\nE\n", ids="x\nx\nx\nx\nx\ny\ny\n")
    found = read_collection(dataset("ntrex-headlines-swa"), paths)
    assert [passage.text for passage in found.passages] == ["A B C", "D", "E"]
    assert [(topic.query, topic.english) for topic in found.topics] == [("K1", "H1"), ("K2", "H2")]
    assert [qrel.qid for qrel in found.qrels] == ["ntrex-000", "ntrex-000", "ntrex-001"]
    assert set(found.other_texts) == set("abcdeABCDE")
    paths[2].write_text("x\n")
    with pytest.raises(DataError, match="more lines than the other"):
        read_collection(dataset("ntrex-headlines-swa"), paths)


def test_lareqa_the_sentence_of_the_answer_is_relevant(tmp_path: Path):
    paragraph = {"context": "One. Two.", "sentences": ["One.", "Two."], "sentence_breaks": [[0, 4], [5, 9]]}
    files = [
        json.dumps(
            {"data": [{"paragraphs": [paragraph | {"qas": [{"id": "q", "question": asked, "answers": [answer]}]}]}]}
        )
        for asked, answer in (("Nini?", {"answer_start": 0}), ("What?", {"answer_start": 5}))
    ]
    found = read_collection(dataset("lareqa-deu"), write(tmp_path, de=files[0], en=files[1]))
    assert found.topics == (Topic("q", "Nini?", "What?"),)
    assert found.qrels == (Qrel("q", found.passages[1].docid, 1),)


def test_belebele_joins_by_link_and_number(tmp_path: Path):
    keys = ("link", "question_number", "flores_passage", "question")
    english = [
        dict(zip(keys, row, strict=True)) for row in (("l", 1, "P", "A?"), ("l", 2, "P", "B?"), ("m", 1, "R", "C?"))
    ]
    foreign = [
        dict(zip(keys, row, strict=True)) for row in (("m", 1, "r", "c?"), ("l", 2, "p", "b?"), ("l", 1, "p", "a?"))
    ]
    found = read_collection(dataset("belebele-zul"), write(tmp_path, zu=jsonl(foreign), en=jsonl(english)))
    assert [(topic.query, topic.english) for topic in found.topics] == [("a?", "A?"), ("b?", "B?"), ("c?", "C?")]
    assert [qrel.docid for qrel in found.qrels] == ["belebele-p000", "belebele-p000", "belebele-p001"]
    with pytest.raises(DataError, match="has no question"):
        read_collection(dataset("belebele-zul"), write(tmp_path, zu=jsonl(foreign[:2]), en=jsonl(english)))


def test_mmlu_options_are_passages_and_the_right_one_relevant(tmp_path: Path):
    paths = write(tmp_path, virology_test_zu='z?,a,"b, c",d,e,B\n', virology_test="q?,A,B,C,D,B\n")
    found = read_collection(dataset("mmlu-clinical-zul"), paths)
    assert (found.topics[0].query, found.other_texts) == ("z?", ("a", "b, c", "d", "e"))
    assert [passage.text for passage in found.passages] == ["A", "B", "C", "D"]
    assert found.qrels == (Qrel("virology-000", "virology-000-B", 1),)
    paths[1].write_text("q?,A,B,C,D,C\n")
    with pytest.raises(DataError, match="row 1 is not the same question"):
        read_collection(dataset("mmlu-clinical-zul"), paths)


def test_every_text_of_a_collection_and_every_run_of_its_sentences():
    passage, beside = Passage("d", "One. Two! Three"), "\u4e00\u3002\u4e8c\u3002"
    collection = Collection((passage,), (Topic("q", "swali", "question"),), (), (beside,))
    runs = ["One.", "One. Two!", "Two!", "Two! Three", "Three"]
    expected = ["swali", "question", passage.text, *runs, beside, beside[:2], beside[2:]]
    assert list(collection_texts(collection)) == expected


@needs_mirror
@pytest.mark.parametrize(
    ("name", "topics", "passages", "qrels"),
    [
        ("lareqa-deu", 1190, 1180, 1190),
        ("afriqa-hau", 222, 3398, 222),
        ("afriqa-fon", 271, 494, 271),
        ("belebele-zul", 900, 488, 900),
        ("tatoeba-v1-swa", 390, 390, 390),
        ("tatoeba-v1-fin", 1000, 1000, 1000),
        ("ntrex-headlines-som", 123, 669, 669),
        ("global-mmlu-lite-tgl", 400, 1600, 400),
        ("mmlu-clinical-zul", 604, 2416, 604),
        ("xor-tydi-dev-fin", 974, 0, 0),
    ],
)
def test_real_counts(tmp_path: Path, name: str, topics: int, passages: int, qrels: int):
    entry = dataset(name)
    found = read_collection(entry, resolve(entry, tmp_path, MIRROR).paths)
    assert (len(found.topics), len(found.passages), len(found.qrels)) == (topics, passages, qrels)
    assert entry.count == topics


@needs_mirror
def test_flores_sentences_inside_belebele_passages_are_among_its_texts(tmp_path: Path):
    from optical.data.bitext.readers import read_pairs
    from optical.data.bitext.screen import Limits

    flores = dataset("flores-sib200-zul")
    pairs = read_pairs(resolve(flores, tmp_path, MIRROR).paths, flores.reader, "zul", "eng", Limits())
    held_out = set(texts_of(dataset("belebele-zul"), tmp_path, MIRROR))
    assert sum(normalise(pair.target) in held_out for pair in pairs) == 794
