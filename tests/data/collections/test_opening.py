"""Test collections: tables, AfriQA, XQuAD, and the user's own folder."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from optical.data.collections.opening import Passage, Qrel, Topic, open_collection, read_collection
from optical.data.registry.datasets import dataset
from optical.errors import DataError, UserError


def folder(path: Path, passages: str = "d1\tone two\nd2\tthree\n", qrels: str = "q1 0 d2 1\n") -> Path:
    (path / "passages.tsv").write_text(passages)
    (path / "topics.tsv").write_text("q1\ttatu\tthree\nq2\tnne\n")
    (path / "qrels.txt").write_text(qrels)
    return path


def test_user_folder_in_tables(tmp_path: Path):
    found = open_collection(str(folder(tmp_path)), tmp_path / "cache")
    assert found.passages == (Passage("d1", "one two"), Passage("d2", "three"))
    assert found.topics == (Topic("q1", "tatu", "three"), Topic("q2", "nne", ""))
    assert found.qrels == (Qrel("q1", "d2", 1),)


def test_user_folder_with_json_passages(tmp_path: Path):
    (folder(tmp_path) / "passages.tsv").unlink()
    (tmp_path / "passages.jsonl").write_text('{"docid": "d2", "text": "three\\u2028four"}\n')
    assert open_collection(str(tmp_path), tmp_path).passages == (Passage("d2", "three four"),)


def test_the_demo_files_are_such_tables(tmp_path: Path):
    folder(tmp_path)
    entry = dataset("demo-topics")
    found = read_collection(entry, [tmp_path / file.path for file in entry.files])
    assert (len(found.passages), len(found.topics), len(found.qrels)) == (2, 2, 1)


@pytest.mark.parametrize(
    ("passages", "qrels", "message"),
    [
        ("d1\tone\nd1\ttwo\n", "", "docid 'd1' is repeated"),
        ("d 1\tone\n", "", "id 'd 1' is not one word"),
        ("d1\tone\nd2\n", "", r"passages\.tsv, line 2: 1 columns"),
        ("d1\tone\td2\n", "", r"line 1: 3 columns"),
        ("d1\t\n", "", r"passages\.tsv: the file holds nothing"),
        ("d1\tone\n", "q1 0 d9 1\n", "1 of 1 relevant judgements have a docid that is not there: 'd9'"),
        ("d1\tone\n", "q9 0 d1 1\n", "1 of 1 relevant judgements have a qid that is not there: 'q9'"),
        ("d1\tone\n", "q1 0 d1 1\nq1 d1 1\n", r"qrels\.txt, line 2"),
        ("d1\tone\n", "q1 0 d1 yes\n", "'yes' is not a whole number"),
    ],
)
def test_inconsistent_tables_are_refused(tmp_path: Path, passages: str, qrels: str, message: str):
    with pytest.raises(DataError, match=message):
        open_collection(str(folder(tmp_path, passages, qrels)), tmp_path)


def test_missing_table_and_unknown_name(tmp_path: Path):
    (folder(tmp_path) / "topics.tsv").unlink()
    with pytest.raises(DataError, match="it has no topics"):
        open_collection(str(tmp_path), tmp_path)
    with pytest.raises(UserError, match="afriqa-swa"):
        open_collection("afriqa-sw", tmp_path)
    with pytest.raises(DataError, match="is bitext, not a collection"):
        read_collection(dataset("globalvoices-swa"), [])


def gold(number: str, title: str | None, context: str | None) -> dict:
    return {
        "id": number,
        "title": title,
        "context": context,
        "question_lang": f"swali {number}",
        "question_translated": f"question {number}",
    }


def write_rows(path: Path, rows: list[dict]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_afriqa_pools_passages_and_asks_only_the_test_questions(tmp_path: Path):
    train = write_rows(
        tmp_path / "gold_span_passages.afriqa.zul.en.train.json",
        [gold("0", "Lamu", "A town."), gold("1", None, None), gold("2", None, "No title.")],
    )
    test = write_rows(
        tmp_path / "gold_span_passages.afriqa.swa.en.test.json",
        [gold("0", "Lamu", "A  town."), gold("1", "Moshi", "Another.")],
    )
    found = read_collection(dataset("afriqa-swa"), [train, test])
    assert [passage.text for passage in found.passages] == ["Lamu. A town.", "No title.", "Moshi. Another."]
    assert found.topics == (Topic("swa-0", "swali 0", "question 0"), Topic("swa-1", "swali 1", "question 1"))
    ids = [passage.docid for passage in found.passages]
    assert found.qrels == (Qrel("swa-0", ids[0], 1), Qrel("swa-1", ids[2], 1))
    assert found.remarks == ("1 rows without a gold passage are left out, 0 of them questions of this collection",)
    reordered = read_collection(dataset("afriqa-swa"), [test, train])
    assert set(reordered.passages) == set(found.passages), "a docid depends on its text alone"


def test_afriqa_questions_without_a_passage_are_counted(tmp_path: Path):
    path = write_rows(tmp_path / "x.afriqa.swa.en.test.json", [gold("0", "t", "c"), gold("1", "t", None)])
    found = read_collection(dataset("afriqa-swa"), [path])
    assert [topic.qid for topic in found.topics] == ["swa-0"]
    assert found.remarks[0].startswith("1 rows without a gold passage are left out, 1 of them questions")


@pytest.mark.parametrize("name", ["x.afriqa.swa.en.train.json", "x.afriqa.zul.en.test.json"])
def test_afriqa_other_splits_and_languages_give_passages_only(tmp_path: Path, name: str):
    found = read_collection(dataset("afriqa-swa"), [write_rows(tmp_path / name, [gold("0", "t", "c")])])
    assert (len(found.passages), found.topics, found.qrels) == (1, (), ())


def test_afriqa_damaged_row_is_named(tmp_path: Path):
    path = write_rows(tmp_path / "a.json", [gold("0", "t", "c"), {"id": "1"}])
    with pytest.raises(DataError, match=r"a\.json, line 2: has no context, question_lang"):
        read_collection(dataset("afriqa-swa"), [path])
    path.write_text("{")
    with pytest.raises(DataError, match=r"a\.json, line 1: not JSON"):
        read_collection(dataset("afriqa-swa"), [path])


def squad(path: Path, contexts: list[str], questions: dict[str, tuple[int, str]]) -> Path:
    paragraphs = [{"context": text, "qas": []} for text in contexts]
    for qid, (place, asked) in questions.items():
        paragraphs[place]["qas"].append({"id": qid, "question": asked})
    path.write_text(json.dumps({"data": [{"title": "t", "paragraphs": paragraphs}]}))
    return path


def test_xquad_joins_by_question_id_over_english_passages(tmp_path: Path):
    english = squad(tmp_path / "en", ["one", "two", "one"], {"a": (0, "A?"), "b": (1, "B?"), "c": (2, "C?")})
    german = squad(tmp_path / "de", ["zwei", "eins"], {"b": (0, "Be?"), "a": (1, "Ah?"), "c": (1, "Ce?")})
    found = read_collection(dataset("xquad-deu"), [german, english])
    assert [passage.text for passage in found.passages] == ["one", "two"]
    assert found.topics == (Topic("a", "Ah?", "A?"), Topic("b", "Be?", "B?"), Topic("c", "Ce?", "C?"))
    first, second = (passage.docid for passage in found.passages)
    assert found.qrels == (Qrel("a", first, 1), Qrel("b", second, 1), Qrel("c", first, 1))


def test_xquad_missing_question_and_wrong_format(tmp_path: Path):
    english = squad(tmp_path / "en", ["one"], {"a": (0, "A?")})
    with pytest.raises(DataError, match="has no question a"):
        read_collection(dataset("xquad-deu"), [squad(tmp_path / "de", ["eins"], {}), english])
    (tmp_path / "de").write_text('{"data": [{}]}')
    with pytest.raises(DataError, match="not SQuAD JSON"):
        read_collection(dataset("xquad-deu"), [tmp_path / "de", english])


def test_two_topics_of_one_qid_are_refused(tmp_path: Path):
    path = write_rows(tmp_path / "x.swa.test.json", [gold("0", "a", "b"), gold("0", "c", "d")])
    with pytest.raises(DataError, match="qid 'swa-0' is repeated"):
        read_collection(replace(dataset("afriqa-swa"), source="swa"), [path])


@pytest.mark.skipif("OPTICAL_MIRROR" not in os.environ, reason="needs the mirror of real data")
@pytest.mark.parametrize(("name", "queries", "passages"), [("afriqa-swa", 295, 3398), ("xquad-deu", 1190, 240)])
def test_real_counts(tmp_path: Path, name: str, queries: int, passages: int):
    found = open_collection(name, tmp_path, os.environ["OPTICAL_MIRROR"])
    assert (len(found.topics), len(found.qrels), len(found.passages)) == (queries, queries, passages)
