"""Readers of one set's own shape: joins by key, WebFAQ, question answering, archives of two languages."""

import json
import zipfile
from pathlib import Path

import pytest

from optical.data.bitext.readers import read_pairs
from optical.data.bitext.screen import Limits, Reject, SentencePair
from optical.errors import DataError


def write(folder: Path, **files: str) -> list[Path]:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in files]


def read(paths: list[Path], reader: str) -> list[SentencePair | Reject]:
    return list(read_pairs(paths, reader, "swa", "eng", Limits()))


def texts(found: list[SentencePair | Reject]) -> list[tuple[str, str]]:
    return [(pair.source, pair.target) for pair in found]


def test_verses_of_chapters_that_are_divided_differently_are_left_out(tmp_path: Path):
    source = "GEN 1:1\ta\nGEN 1:2\tb\nGEN 2:1\tc\nGEN 2:2\td\nGEN 3:1\te\n"
    target = "GEN 1:2\tB\nGEN 1:1\tA\nGEN 2:1\tCD\nEXO 1:1\tF\n"
    assert texts(read(write(tmp_path, a=source, b=target), "verses")) == [("a", "A"), ("b", "B")]


def test_verse_lines_join_by_the_lines_of_the_references(tmp_path: Path):
    references = "GEN 1:1\nGEN 1:2\nGEN 2:1\nGEN 2:2\n"
    paths = write(tmp_path, a="a\nb\nc\n\n", b="A\nB\nC\nD\n", refs=references)
    assert texts(read(paths, "verse-lines")) == [("a", "A"), ("b", "B")]
    paths[1].write_text("A\nB\nC\n")
    with pytest.raises(DataError, match="has not the 4 lines"):
        read(paths, "verse-lines")


def test_sib200_joins_every_split_by_index(tmp_path: Path):
    head = "index_id\tcategory\ttext\n"
    paths = write(tmp_path, s1=f"{head}1\tx\ta\n", s2=f"{head}2\tx\tb\n", t1=f"{head}2\tx\tB\n", t2=f"{head}1\tx\tA\n")
    assert texts(read(paths, "sib200")) == [("a", "A"), ("b", "B")]
    paths[2].write_text("1\tx\tA\n")
    with pytest.raises(DataError, match="line 1: not index_id"):
        read(paths, "sib200")
    with pytest.raises(DataError, match="as many files for each language"):
        read(paths[:3], "sib200")


def test_a_key_that_is_there_twice_or_alone_pairs_nothing_wrongly(tmp_path: Path):
    row = '{"id": "%s", "question": "%s"}\n'
    paths = write(tmp_path, a=row % ("1_sw", "a") + row % ("2_sw", "b"), b=row % ("1_en", "A"))
    assert read(paths, "mkqa") == [SentencePair(0, "a", "A"), Reject(1, "missing")]
    paths[1].write_text(row % ("1_en", "A") + row % ("1_en", "B"))
    with pytest.raises(DataError, match="key '1' is there twice"):
        read(paths, "mkqa")


def test_first_columns_are_of_one_length(tmp_path: Path):
    paths = write(tmp_path, a="a\t1\nb\t2\n", b="A\t1\nB\t2\n")
    assert texts(read(paths, "first-columns")) == [("a", "A"), ("b", "B")]
    paths[0].write_text("a\t1\n")
    with pytest.raises(DataError, match="one table has more rows"):
        read(paths, "first-columns")


def faq(first: str | None, second: str | None, number: int) -> str:
    row = {f"{part}{side}": f"{part[0]}{side}-{number}" for part in ("question", "answer") for side in (1, 2)}
    return json.dumps(row | ({"language1": first, "language2": second} if first else {})) + "\n"


def test_webfaq_rows_are_oriented_one_by_one(tmp_path: Path):
    rows = faq("eng", "swa", 0) + faq("swa", "eng", 1) + faq("eng", "deu", 2) + "{\n"
    assert read(write(tmp_path, **{"eng.jsonl": rows}), "webfaq") == [
        SentencePair(0, "q2-0", "q1-0"),
        SentencePair(1, "a2-0", "a1-0"),
        SentencePair(2, "q1-1", "q2-1"),
        SentencePair(3, "a1-1", "a2-1"),
        Reject(4, "malformed"),
    ]


def test_webfaq_rows_without_languages_take_them_from_the_file_name(tmp_path: Path):
    paths = write(tmp_path, **{"eng_swa.jsonl": faq(None, None, 0)})
    assert texts(read(paths, "webfaq")) == [("q2-0", "q1-0"), ("a2-0", "a1-0")]
    assert read(write(tmp_path, **{"deu_fra.jsonl": faq(None, None, 0)}), "webfaq") == []


def test_mkqa_original_rows_hold_every_language(tmp_path: Path):
    row = json.dumps({"query": "one", "queries": {"en": "one", "sw": "moja", "fi": "yksi"}})
    assert texts(read(write(tmp_path, a=row), "jsonl")) == [("moja", "one")]


@pytest.mark.parametrize(
    ("reader", "content", "expected"),
    [
        ("squad", {"data": [{"paragraphs": [{"context": "c", "qas": [{"id": 1, "question": "q"}]}]}]}, [("q", "c")]),
        ("selqa", [{"question": "q", "candidates": ["x", "y", "z"], "answers": [0, 2]}], [("q", "x"), ("q", "z")]),
        ("pubmedqa", {"7": {"QUESTION": "q", "CONTEXTS": ["x", "y"]}}, [("q", "x y")]),
        ("nq-oracle", {"question": "q", "ctxs": [{"text": "x"}]}, [("q", "x")]),
    ],
)
def test_question_answering_sets(tmp_path: Path, reader: str, content: object, expected: list):
    (path,) = write(tmp_path, a=json.dumps(content))
    assert texts(read([path], reader)) == expected
    for broken in ("{", '{"data": [{}], "x": {}}' if reader in ("squad", "pubmedqa") else "[{}]"):
        path.write_text(broken)
        with pytest.raises(DataError, match="not JSON|not in the expected format|a line is malformed|one JSON array"):
            read([path], reader)


def test_moses_sides_in_one_archive_are_told_by_language(tmp_path: Path):
    path = tmp_path / "en-sw.txt.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("LICENSE", "none")
        archive.writestr("x.en-sw.en", "one\ntwo\n")
        archive.writestr("x.en-sw.sw", "moja\nmbili\n")
    assert texts(read([path], "moses")) == [("moja", "one"), ("mbili", "two")]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("y.en", "more")
    with pytest.raises(DataError, match=r"2 members end in \.eng"):
        read([path], "moses")
